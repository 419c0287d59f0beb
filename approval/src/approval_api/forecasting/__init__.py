"""Speaks from rehearsals about the real network that a template stands for: pure, no database, no HTTP."""
