"""Who may be served before anything is looked up: places and turns of an address, or of what it shows.

Nothing here asks the database or makes a label or a line of what a client chose.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request, Response

from approval_api.access.authentication import credential_of, showed_what_is_known, shows_something
from approval_api.web.problems import ProblemError, problem_response
from approval_api.web.rate_limit import (
    address_of,
    bucket_of_address,
    require_patience,
    require_turn_of_address,
)
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.door import Admitted
from dryrun_serving.networks import network_of
from dryrun_serving.rate_limit import RateLimit
from dryrun_serving.refusal import RefusedError

PROBED = frozenset({"/livez", "/readyz", "/metrics"})
"""What monitoring asks for: counted apart, so that others at its address cannot use up its turns."""


def admitting(requests: Ceiling) -> Admitted:
    """Return who is let in; `requests` bounds how many requests are served at once.

    Connections are bounded already. Behind a proxy they are the proxy's: there this counts, by the address
    that the proxy tells.
    """

    @asynccontextmanager
    async def admitted(request: Request) -> AsyncIterator[None]:
        network = network_of(address_of(request))
        _require_place(requests, network)
        with requests.place(network):
            await _require_turn(request)
            try:
                yield
            finally:
                if "counted" not in request.scope:
                    # Nobody asked who this is: a route that is open, or that does not exist.
                    limit: RateLimit = request.app.state.rate_limit
                    limit.wait(bucket_of_address(request))

    return admitted


def answer_refusal(request: Request, refusal: RefusedError) -> Response:
    """Render a refusal as this service's problems are."""
    return problem_response(request, refusal.problem, refusal.headers)


def _require_place(requests: Ceiling, network: str) -> None:
    full = requests.full(network)
    if full is not None:
        raise ProblemError(
            "too-many-requests",
            429 if full == "of one" else 503,
            "too many requests are being served for this address; wait for answers"
            if full == "of one"
            else "too many requests are being served; ask again in a moment",
            title="Too many requests at once",
            headers={"Retry-After": "2"},
        )


async def _require_turn(request: Request) -> None:
    """Raise a 429 problem for an address that has used up its turns.

    Who shows nothing takes a turn now. Who shows something that proved somebody before is let through even
    then: that has turns of its own, and they do not suffer from others at their address. Who shows something
    else is let through while the address has turns; whether they prove somebody decides whose turn it was.
    """
    if request.url.path in PROBED:
        request.scope["counted"] = True
        await require_patience(request, f"probe of {bucket_of_address(request)}")
    elif not shows_something(request):
        await require_turn_of_address(request)
    elif not showed_what_is_known(request):
        await require_patience(request, bucket_of_address(request), take=False)
    else:
        # Routes that are open, or that do not exist, ask nobody who this is.
        await require_patience(request, f"credential {credential_of(request).hex()}")
