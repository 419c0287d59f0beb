"""Rules that approve production's discoveries."""
