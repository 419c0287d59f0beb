"""Retention: what is older than the operator's policy is removed, and what was removed is on record."""
