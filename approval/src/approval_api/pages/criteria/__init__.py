"""Criteria that sessions are judged by, stored by name."""
