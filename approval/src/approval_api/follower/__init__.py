"""Follows the orchestrator's events and stores each page of them together with the new position."""
