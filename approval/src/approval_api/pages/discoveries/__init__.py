"""Lists of discoveries and decisions on them, production and dry-run apart."""
