"""Processes of their own for what is computed from collectors' reports: bounded in time, memory, answer."""
