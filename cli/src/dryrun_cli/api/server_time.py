"""The server's time, by what its answers say: this machine's clock may be wrong by hours."""

import time
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

_LEAST_SECONDS: Final = 2.0
"""The Date header has whole seconds: a smaller difference means nothing."""


def server_ahead(response: httpx2.Response) -> float:
    """Return by how many seconds the server's clock runs before ours; 0 where that is not known."""
    try:
        ahead = parsedate_to_datetime(response.headers["date"]).timestamp() - time.time()
    except (KeyError, ValueError):
        return 0.0
    return ahead if abs(ahead) > _LEAST_SECONDS else 0.0
