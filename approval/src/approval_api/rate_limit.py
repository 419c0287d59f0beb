"""How often somebody may ask: a bucket of tokens for each person, and for each address that proves nothing.

Buckets are this process's own: several processes side by side let through as many times as much. They keep
a loop gone wild away; guessing passwords is limited in the database (`people.throttle`).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from approval_api.audit.entry import address_of
from approval_api.networks import network_of
from approval_api.problems import ProblemError

_MOST_BUCKETS = 10_000
"""The bucket that was used longest ago is forgotten: it is as good as full."""

LONGEST_WAIT_SECONDS = 1.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """Lets `burst` requests through at once, and `per_second` for ever."""

    def __init__(self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        """Start with every bucket full."""
        self._per_second = per_second
        self._burst = burst
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, who: str, *, take: bool = True) -> float:
        """Take a token of `who`, or only look; return 0, or in how many seconds there is one."""
        now = self._now()
        bucket = self._buckets.pop(who, None) or _Bucket(self._burst, now)
        tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        self._buckets[who] = bucket
        bucket.filled_at = now
        bucket.tokens = tokens - 1 if take and tokens >= 1 else tokens
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0 if tokens >= 1 else (1 - tokens) / self._per_second


async def require_patience(request: Request, who: str, *, take: bool = True) -> None:
    """Raise a 429 problem when `who` asks too often, and let them wait for it.

    The wait is a second at most: a client that asks again at once, on as many connections as it may have,
    costs no more than so many answers a second.
    """
    limit: RateLimit = request.app.state.rate_limit
    seconds = limit.wait(who, take=take)
    if seconds:
        await asyncio.sleep(min(seconds, LONGEST_WAIT_SECONDS))
        raise ProblemError(
            "too-many-requests",
            429,
            f"requests come faster than this service takes them; ask again in {seconds:.1f} s",
            title="Too many requests",
            headers={"Retry-After": str(max(1, round(seconds)))},
        )


def bucket_of_address(request: Request) -> str:
    """Return whose turns a request takes that proves nobody."""
    return f"address {network_of(address_of(request))}"


async def require_turn_of_address(request: Request) -> None:
    """Take a turn of a request's address, unless this request took one. Raises a 429 problem."""
    if "counted" not in request.scope:
        request.scope["counted"] = True
        await require_patience(request, bucket_of_address(request))
