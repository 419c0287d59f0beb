"""Waits for a state of the orchestrator's isolation check."""

import asyncio
import contextlib
import time
from typing import Final

import httpx2
from local_stack import Stack

FIX: Final = "deploy/host-rule/dryrun-host-rule install"
"""Stands in every reason that the rule is missing for."""


async def isolation_check(stack: Stack, *, wanted: str, seconds: float = 30) -> str:
    """Wait until `/readyz` says of the isolation what begins with `wanted`, and return it."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx2.TransportError):
            said: str = (await stack.orchestrator_get("/readyz")).json()["checks"]["isolation"]
            if said.startswith(wanted):
                return said
        assert time.monotonic() < end, f"not {wanted} within {seconds} s"
        await asyncio.sleep(0.1)
