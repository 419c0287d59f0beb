"""The templates that may be started, drawn."""
