"""Alembic's revisions of schema `gateway`, shipped inside the package."""

HEAD = "0030"
"""The newest revision; a start compares it without importing Alembic."""
