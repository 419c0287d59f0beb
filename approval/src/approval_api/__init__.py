"""Dry-runs and their discoveries: stored, scored, reported and decided on. Rooms import downwards only."""
