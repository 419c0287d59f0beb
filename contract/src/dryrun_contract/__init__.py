"""The words the services exchange, in one version; nothing else lives here."""

CONTRACT_VERSION = 1
"""Raised when a field changes its meaning or disappears; new optional fields do not raise it."""
