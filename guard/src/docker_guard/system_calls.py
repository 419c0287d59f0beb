"""The system calls that a container may make: a seccomp profile narrower than the engine's own.

It is Docker's default profile without 32-bit programs, whose `socketcall` no profile can look into, and
with the families of sockets that a simulated network needs. Every other family is code of the kernel that
a session has no use for: VSOCK leads out of all network namespaces, a flaw of AF_ALG wrote to files of
the host's page cache (CVE-2026-31431), and a socket of LLC or TIPC has the kernel load a module.
"""

import errno
import json
import socket
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

_DEFAULT = "vendored/seccomp-default.json"
"""Of Docker Engine 26.1.5."""
_FAMILIES = (
    socket.AF_UNIX,
    socket.AF_INET,
    socket.AF_INET6,
    socket.AF_NETLINK,
    socket.AF_PACKET,
)
_OPENING = frozenset({"socket", "socketpair", "socketcall"})
"""The system calls that open a socket; the last one only for 32-bit programs."""
_OPTION = "seccomp="


def with_profile(options: list[str]) -> list[str]:
    """Return a container's `SecurityOpt` with the narrow profile."""
    return [*options, f"{_OPTION}{narrow_profile()}"]


def without_profile(options: list[str]) -> list[str]:
    """Return `SecurityOpt` as a client sends it, who may not choose a profile."""
    return [each for each in options if not each.startswith(_OPTION)]


def named(option: str) -> str:
    """Return an entry of `SecurityOpt`, with its profile, of some 9 KB, named only."""
    return f"{_OPTION}[narrow]" if option.startswith(_OPTION) else option


@cache
def narrow_profile() -> str:
    """Return the profile in the form that the engine takes (moby `profiles/seccomp`)."""
    profile = json.loads(files(__package__).joinpath(_DEFAULT).read_text(encoding="utf-8"))
    kept = [
        {**rule, "names": names}
        for rule in profile["syscalls"]
        if (names := [name for name in rule["names"] if name not in _OPENING])
    ]
    opening = [_allowed("socket", family) for family in _FAMILIES]
    others = set(range(max(_FAMILIES))).difference(_FAMILIES)
    lacking = [*(_lacking(family, "EQ") for family in sorted(others)), _lacking(max(_FAMILIES), "GT")]
    narrow = {
        **profile,
        "archMap": [{**each, "subArchitectures": []} for each in profile["archMap"]],
        "syscalls": [*kept, *opening, *lacking, _allowed("socketpair", socket.AF_UNIX)],
    }
    return json.dumps(narrow, separators=(",", ":"))


def _allowed(name: str, family: int) -> Mapping[str, Any]:
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [_first_argument("EQ", family)]}


def _lacking(family: int, operator: str) -> Mapping[str, Any]:
    """Return a rule that answers as a kernel without the family does.

    Programs go on without it then; at EPERM libpcap lists no interface, as it gets no Bluetooth socket.
    """
    answer = {"action": "SCMP_ACT_ERRNO", "errnoRet": int(errno.EAFNOSUPPORT)}
    return {"names": ["socket"], **answer, "args": [_first_argument(operator, family)]}


def _first_argument(operator: str, value: int) -> Mapping[str, Any]:
    return {"index": 0, "value": int(value), "op": f"SCMP_CMP_{operator}"}
