"""How often somebody may ask: a bucket of tokens for each person, and for each address that proves nothing.

Buckets are this process's own: several processes side by side let through as many times as much. They keep
a loop gone wild away; guessing passwords is limited in the database (`people.throttle`).
"""

import asyncio

from fastapi import Request

from approval_api.web.problems import ProblemError
from dryrun_serving.networks import network_of
from dryrun_serving.rate_limit import RateLimit

LONGEST_WAIT_SECONDS = 1.0


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


def address_of(request: Request) -> str:
    """Return the address that a request comes from, as far as this service can know it."""
    return request.client.host if request.client is not None else "unknown"


def bucket_of_address(request: Request) -> str:
    """Return whose turns a request takes that proves nobody."""
    return f"address {network_of(address_of(request))}"


async def require_turn_of_address(request: Request) -> None:
    """Take a turn of a request's address, unless this request took one. Raises a 429 problem."""
    if "counted" not in request.scope:
        request.scope["counted"] = True
        await require_patience(request, bucket_of_address(request))
