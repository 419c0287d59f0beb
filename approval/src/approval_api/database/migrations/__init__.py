"""Alembic's revisions of schema `gateway`, shipped inside the package."""

HEAD = "0006"
"""The newest revision; lets a start find out that nothing is to do without loading Alembic."""
