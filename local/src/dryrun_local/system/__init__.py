"""Runs the whole system as child processes: PostgreSQL, approval API, guard, orchestrator."""
