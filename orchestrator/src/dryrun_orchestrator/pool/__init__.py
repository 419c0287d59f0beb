"""The warm pool: sessions prepared ahead of their request, claimed by their id, dropped when in doubt."""
