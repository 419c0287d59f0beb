"""Finds what this machine lacks for dry-runs; changes nothing."""
