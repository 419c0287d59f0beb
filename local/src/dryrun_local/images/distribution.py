"""Copies images to the other hosts of a fleet, over the operator's own access to their engines.

No guard takes part: none of them can load an image. What a host lacks is streamed from engine to engine, and
afterwards every pinned id has to be there: a session's containers are created by id, and nothing is pulled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from dryrun_local.images.building import pinned_rows
from dryrun_local.images.programs import ProgramError, capture, pipe, run

_LIST_SECONDS: Final = 60.0
_COPY_SECONDS: Final = 1800.0
"""For all images of one host, on a slow network."""


@dataclass(frozen=True, slots=True)
class Distributed:
    """What came of it on one host: names of images."""

    host: str
    copied: tuple[str, ...]
    here: int
    """How many it had."""


async def distribute(
    host: str, allowlist: Path, log: Path, on_copying: Callable[[int, int], None]
) -> Distributed:
    """Copy the pinned images that the engine at `host` lacks there, and name them.

    `host` is as DOCKER_HOST has it. `on_copying` is told, in any thread, how many images are copied, and how
    many bytes of them so far. Raises ProgramError, also when an id is missing afterwards.
    """
    pinned = {name: str(row["id"]) for name, row in pinned_rows(allowlist).items()}
    present = await _ids(host)
    missing = {name: pinned[name] for name in sorted(pinned) if pinned[name] not in present}
    if missing:
        there = ("docker", "--host", host)
        # By id: on this machine a name may stand for a newer build by now.
        copied = ("docker", "save", *missing.values())
        on_copying(len(missing), 0)
        await pipe(
            copied, (*there, "load", "--quiet"), log,
            seconds=_COPY_SECONDS, on_bytes=partial(on_copying, len(missing)),
        )  # fmt: skip
        present = await _ids(host)
        if left := [name for name, identity in missing.items() if identity not in present]:
            raise ProgramError(
                f"{host}: {', '.join(left)} arrived with another id than the pinned one; nothing starts from "
                "them. The image stores of both engines have to be of one kind (docker info: Storage Driver)"
            )
        for name, identity in missing.items():
            # Without a name it would be removed by the next `docker image prune`.
            await run((*there, "tag", identity, name), log, seconds=_LIST_SECONDS)
    return Distributed(host, tuple(missing), len(pinned) - len(missing))


async def _ids(host: str) -> set[str]:
    command: Sequence[str] = ("docker", "--host", host, "images", "--all", "--no-trunc", "--quiet")
    code, said, errors = await capture(command, seconds=_LIST_SECONDS)
    if code != 0:
        raise ProgramError(f"{host}: {errors.strip()}")
    return set(said.split())
