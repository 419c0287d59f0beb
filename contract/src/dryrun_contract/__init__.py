"""The data that services exchange, and what it means; nothing else lives here."""

CONTRACT_VERSION = 1
"""Raised when a field changes its meaning or disappears; a new optional field does not raise it."""
