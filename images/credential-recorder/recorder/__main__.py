"""Serves on the usual ports."""

from server import run

run()
