"""Bounds of a body, in bytes and in values."""

from dryrun_contract.bounded_json import JsonBounds

SMALL_BODY = JsonBounds(size=64 * 1024, values=4_000)
"""The default of every route: 500 decisions in one request are 1,500 values."""
REPORT_BODY = JsonBounds(size=4 * 1024 * 1024, values=100_000)
"""One report from a collector; at most 500 discoveries."""
MAX_FIELDS = 1_000
"""The most fields of a form."""
