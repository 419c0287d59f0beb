"""How much a body may hold, in bytes and in values."""

from dryrun_contract.bounded_json import JsonBounds

SMALL_BODY = JsonBounds(size=64 * 1024, values=4_000)
"""Of every route that does not say otherwise: 500 decisions at once are 1,500 values."""
REPORT_BODY = JsonBounds(size=4 * 1024 * 1024, values=100_000)
"""What a collector reports at once: up to 500 discoveries."""
MAX_FIELDS = 1_000
"""Fields of a form."""
