"""One dryrun-local at a time works on an installation: a lock file that the kernel frees with its holder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

from dryrun_local.machine.errors import AlreadyRunningError
from dryrun_local.machine.installation import Installation

IMAGES = "images-lock"
"""Held while images are built and the allowlist is written; services may run meanwhile."""

_SERVICES: Final = "lock"
_DOES: Final = {
    _SERVICES: "uses {}; wait for it, or end it with Ctrl-C, then try again",
    IMAGES: "checks or builds the images of {}; try again once it has: services that run may go on",
}


def is_held(installation: Installation) -> bool:
    """Return whether services of this installation run, by another process."""
    try:
        with held(installation):
            return False
    except AlreadyRunningError:
        return True


def holder_of(path: Path) -> int | None:
    """Return the process that holds a file's lock, None where nobody does; the lock itself is not touched.

    As proc_locks(5) has it: `1: FLOCK ADVISORY WRITE 4711 08:01:123456 0 EOF`.
    """
    try:
        file = path.stat()
    except FileNotFoundError:
        return None
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[1] == "FLOCK" and place in words:
            return next(int(word) for word, at in pairwise(words) if at == place)
    return None


@contextmanager
def held(installation: Installation, name: str = _SERVICES) -> Iterator[None]:
    """Hold a lock of the installation in the block. Raises AlreadyRunningError, which names the holder."""
    installation.prepare()
    path = installation.state / name
    # Not inherited: a child that outlives this process must not keep the lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "unknown"
            raise AlreadyRunningError(
                f"another dryrun-local (process {holder}) {_DOES[name].format(installation.state)}"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
