"""State that survives a crash: one SQLite file with sessions, targets, runs and events."""
