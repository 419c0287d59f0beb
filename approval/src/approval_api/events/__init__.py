"""Stored events of sessions, and the streams that wake when there are more."""
