"""Trends over time, drawn on the server."""
