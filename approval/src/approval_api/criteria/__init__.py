"""Criteria that operators stored by name, and which of them new sessions are judged by."""
