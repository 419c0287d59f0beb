"""The commands that run the system: `demo`, `up`, and `reset`, which removes their state."""
