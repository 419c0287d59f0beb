"""Sessions: admitted, handed to the orchestrator, stopped, listed."""
