"""Approved production discoveries on their way to systems of record: previewed, approved, sent once."""
