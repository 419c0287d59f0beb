"""Rate limits: a bucket of tokens for each person, and for each address without a valid credential.

Each process has its own buckets, so several processes let through a multiple. They stop a client's runaway
loop; guessing passwords is limited in the database (`people.throttle`).
"""

import asyncio
import math

from fastapi import Request

from approval_api.web.origin import address_of
from approval_api.web.problems import ProblemError
from dryrun_serving.networks import site_of
from dryrun_serving.rate_limit import RateLimit

LONGEST_WAIT_SECONDS = 1.0


async def require_patience(request: Request, who: str, *, take: bool = True) -> None:
    """Raise a 429 problem when `who` sends too many requests, after a wait.

    The wait is at most a second: a client that retries at once, on all connections it may have, costs no more
    than that many answers per second.
    """
    limit: RateLimit = request.app.state.rate_limit
    seconds = limit.wait(who, take=take)
    if seconds:
        await asyncio.sleep(min(seconds, LONGEST_WAIT_SECONDS))
        whole = math.ceil(seconds)
        raise ProblemError(
            "too-many-requests",
            429,
            f"too many requests; try again in {whole} s",
            title="Too many requests",
            headers={"Retry-After": str(whole)},
        )


def bucket_of_address(request: Request) -> str:
    """Return the bucket of a request without a valid credential."""
    return f"address {site_of(address_of(request))}"


async def require_turn_of_address(request: Request) -> None:
    """Take a turn of the request's address, unless this request already took one. Raises a 429 problem."""
    if "counted" not in request.scope:
        request.scope["counted"] = True
        await require_patience(request, bucket_of_address(request))
