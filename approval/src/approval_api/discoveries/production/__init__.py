"""Discoveries of production: rows of `discoveries`."""
