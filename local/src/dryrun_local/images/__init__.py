"""Builds the images that sessions and services run, and pins what a session may start in the allowlist."""
