"""The client of the orchestrator; nothing else speaks to it."""
