"""How often somebody may ask: a bucket of tokens for each name.

Buckets are this process's own: several processes side by side let through as many times as much.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_BUCKETS = 10_000
"""The bucket that was used longest ago is forgotten: it is as good as full."""


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
