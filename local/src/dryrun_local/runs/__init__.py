"""The commands that run the system: `demo`, `up`, and `reset`, which removes what they leave."""
