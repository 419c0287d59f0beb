"""Checks stand-ins from inside before a template may use them, some at a time, with a line for each."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from dryrun_contract.text import counted, printable
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.shared_root import RECIPES
from dryrun_local.terminal.screen import Screen
from dryrun_replica.verifying.container import VerificationError, remove_leftovers
from dryrun_replica.verifying.verification import Products, verify

_AT_ONCE = 4
"""Most of a check is waiting: for a service to start, for an answer that does not come."""


NOTHING_INSTALLED = "nothing is installed"
"""What an import with a fault ends with."""


class UntrueError(LocalError):
    """Ground truth is not what is there; the message lists every difference by image.

    `otherwise` says what became of the replica.
    """

    def __init__(self, faults: Mapping[str, list[str]], otherwise: str = NOTHING_INSTALLED) -> None:
        self.faults = faults
        count = sum(map(len, faults.values()))
        lines = [f"{image}: {fault}" for image, found in sorted(faults.items()) for fault in found]
        plural = "s" if count > 1 else ""
        super().__init__("\n  ".join([f"{count} fault{plural} in ground truth; {otherwise}:", *lines]))


async def verify_new(
    installation: Installation,
    screen: Screen,
    rows: Mapping[str, Mapping[str, Any]],
    known: Mapping[str, Mapping[str, Any]],
) -> None:
    """Verify the rows whose images are not those of the `known` rows. Raises UntrueError."""
    new = {image: row for image, row in rows.items() if known.get(image, {}).get("id") != row["id"]}
    if new:
        await verify_rows(installation, screen, new)


async def verify_rows(
    installation: Installation,
    screen: Screen,
    rows: Mapping[str, Mapping[str, Any]],
    *,
    otherwise: str = NOTHING_INSTALLED,
) -> None:
    """Verify every row of the allowlist, and say how many facts are true. Raises UntrueError.

    The caller holds the lock IMAGES: what an earlier verification of this installation left, because it was
    killed, is removed first.
    """
    owner = str(installation.state)
    try:
        removed = await remove_leftovers(owner)
    except VerificationError as error:
        screen.warn("leftovers of an earlier verification stay", str(error))
    else:
        if removed:
            screen.note(f"{removed} containers and networks of an interrupted verification were removed")
    products = Products.read(installation.root / RECIPES)
    slots = asyncio.Semaphore(_AT_ONCE)
    faults: dict[str, list[str]] = {}

    async def check(image: str, row: Mapping[str, Any]) -> int:
        async with slots:
            begun = time.monotonic()
            try:
                found = await verify(row, products, owner)
            except VerificationError as error:
                found = [str(error)]
        facts = len(row["ground_truth"])
        seconds = f"{time.monotonic() - begun:4.0f} s"
        if found:
            faults[image] = [printable(fault, limit=400) for fault in found]
            screen.warn(f"{printable(image):42}", f"{seconds}   {counted(len(found), 'fault')}")
        else:
            screen.done(
                f"{printable(image):42}", f"{seconds}   {counted(facts, 'fact is', 'facts are')} true"
            )
        return facts

    async with asyncio.TaskGroup() as group:
        checks = [group.create_task(check(image, row)) for image, row in sorted(rows.items())]
    if faults:
        raise UntrueError(faults, otherwise)
    facts = sum(each.result() for each in checks)
    stand_ins = counted(len(rows), "stand-in")
    screen.done("Ground truth", f"{facts} facts of {stand_ins} are true, seen from inside")
