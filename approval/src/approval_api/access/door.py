"""Admits requests before anything is looked up: by the places and turns of an address, or of a credential.

Nothing here asks the database, or puts a client's input into a metric's label or a log line.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from approval_api.access.authentication import credential_of, showed_what_is_known, shows_something
from approval_api.web.origin import address_of
from approval_api.web.problems import too_many_at_once
from approval_api.web.rate_limit import (
    bucket_of_address,
    require_patience,
    require_turn_of_address,
)
from approval_api.web.request_log import PROBED
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.door import Admitted
from dryrun_serving.networks import network_of
from dryrun_serving.rate_limit import RateLimit


def admitting(requests: Ceiling) -> Admitted:
    """Return the admission of requests; `requests` bounds how many are served at the same time.

    Connections are bounded already. Behind a proxy they are the proxy's, so this counts by the address that
    the proxy forwards.
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
                    # No route looked up who this is: it is open, or does not exist.
                    limit: RateLimit = request.app.state.rate_limit
                    limit.wait(bucket_of_address(request))

    return admitted


def _require_place(requests: Ceiling, network: str) -> None:
    full = requests.full(network)
    if full is not None:
        raise (
            too_many_at_once("too many requests are being served for this address; wait for answers")
            if full == "of one"
            else too_many_at_once("too many requests are being served; try again in a moment", 503)
        )


async def _require_turn(request: Request) -> None:
    """Raise a 429 problem for an address that has used up its turns.

    A request without a credential takes a turn now. One with a credential that was valid lately passes even
    then: it has turns of its own, so its owner does not suffer from others at the address. One with another
    credential passes while the address has turns; whether it is valid decides whose turn it was.
    """
    if request.url.path in PROBED:
        request.scope["counted"] = True
        await require_patience(request, f"probe of {bucket_of_address(request)}")
    elif not shows_something(request):
        await require_turn_of_address(request)
    elif not showed_what_is_known(request):
        await require_patience(request, bucket_of_address(request), take=False)
    else:
        # Open routes, and unknown ones, do not look up who this is.
        await require_patience(request, f"credential {credential_of(request).hex()}")
