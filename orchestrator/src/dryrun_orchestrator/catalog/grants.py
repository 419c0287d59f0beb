"""The most that an allowlist may grant to an image, by its role."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from dryrun_contract.problem import Fault
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.arguments import RATE, faults_of_arguments, has_rate
from dryrun_orchestrator.labels import Role

CAPABILITIES: Mapping[Role, frozenset[str]] = MappingProxyType(
    {
        # Measured: what servers need that change their user, or bind low ports after that.
        "target": frozenset(
            {"CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT"}
        ),
        # Raw frames for ARP discovery and SYN scans, and nothing else.
        "collector": frozenset({"NET_RAW"}),
    }
)
"""A new entry widens what an operator's file can grant; review it accordingly."""
MAX_TMPFS_BYTES = 256 * 1024 * 1024
"""Per mount. All mounts together count against the container's memory limit."""

_TMPFS_PATH = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
_NO_TMPFS = re.compile(r"/(?:proc|sys|dev(?!/shm$))(?:/|$)")


def grant_faults(
    role: Role,
    *,
    capabilities: Iterable[str],
    arguments: Iterable[tuple[str, ...]],
    max_rate: int | None,
    stdin: bool,
    tmpfs_bytes: Mapping[str, int],
    where: str,
) -> Iterable[Fault]:
    """Yield a fault for each grant beyond what images of `role` may get; one makes the allowlist unusable.

    `tmpfs_bytes` maps mount paths to sizes; `where` is the prefix of the faults' places.
    """
    for capability in capabilities:
        if capability not in CAPABILITIES[role]:
            allowed = ", ".join(sorted(CAPABILITIES[role]))
            yield Fault(
                where=f"{where}capabilities",
                what=f"{printable(capability, limit=40)} cannot be granted to a {role}; these can: {allowed}",
            )
    for mount, size in tmpfs_bytes.items():
        yield from _faults_of_tmpfs(mount, size, f"{where}tmpfs.{printable(mount, limit=80)}")
    if stdin and role != "collector":
        yield Fault(where=f"{where}stdin", what="is granted although only collectors can have standard input")
    lists = tuple(arguments)
    if lists and role != "collector":
        yield Fault(where=f"{where}arguments", what="are given although only collectors can have arguments")
    for number, listed in enumerate(lists):
        for fault in faults_of_arguments(listed, max_rate):
            yield Fault(where=f"{where}arguments[{number}]", what=fault)
    if max_rate is not None and not any(map(has_rate, lists)):
        yield Fault(where=f"{where}max_rate", what=f"has no effect: no argument holds {RATE}")


def _faults_of_tmpfs(mount: str, size: int, place: str) -> Iterable[Fault]:
    if not _TMPFS_PATH.fullmatch(mount):
        yield Fault(where=place, what="is not an absolute path of plain names")
    elif _NO_TMPFS.match(mount):
        yield Fault(where=place, what="a tmpfs cannot cover /proc, /sys or /dev (/dev/shm it can)")
    if size > MAX_TMPFS_BYTES:
        most = f"{MAX_TMPFS_BYTES} ({MAX_TMPFS_BYTES >> 20} MiB)"
        yield Fault(where=f"{place}.size", what=f"is {size} bytes; at most {most} are allowed")
