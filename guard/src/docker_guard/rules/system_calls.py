"""The system calls that a container may make: a seccomp profile narrower than the engine's own.

It is Docker's default profile without 32-bit programs, whose `socketcall` no profile can look into, and
with the families and protocols of sockets that a simulated network needs. Every other one is code of the
kernel that a session has no use for: VSOCK leads out of all network namespaces, a flaw of AF_ALG wrote to
files of the host's page cache (CVE-2026-31431), a socket of LLC, TIPC or SCTP has the kernel load a module,
and so does a name that is asked for by generic netlink.
"""

import errno
import json
import socket
from collections.abc import Iterator, Mapping
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
_PROTOCOLS: Mapping[tuple[int, int], tuple[int, ...]] = {
    (socket.AF_INET, socket.SOCK_STREAM): (socket.IPPROTO_IP, socket.IPPROTO_TCP),
    (socket.AF_INET, socket.SOCK_DGRAM): (socket.IPPROTO_IP, socket.IPPROTO_ICMP, socket.IPPROTO_UDP),
    (socket.AF_INET6, socket.SOCK_STREAM): (socket.IPPROTO_IP, socket.IPPROTO_TCP),
    (socket.AF_INET6, socket.SOCK_DGRAM): (socket.IPPROTO_IP, socket.IPPROTO_UDP, socket.IPPROTO_ICMPV6),
}
"""Of the families of IP, by the type of socket, beside raw ones, which need `NET_RAW`; 0 is a type's own."""
_ROUTE = 0
"""The protocol of netlink that tells interfaces, addresses and routes (libc, nmap, ip)."""
_TYPE_BITS = 0xF
"""The other bits of a socket's type are flags."""
_OPENING = frozenset({"socket", "socketpair", "socketcall"})
"""The system calls that open a socket; the last one only for 32-bit programs."""
_FAMILY, _TYPE, _PROTOCOL = range(3)
"""The arguments of `socket`."""
_OPTION = "seccomp="


def with_profile(options: list[str]) -> list[str]:
    """Return a container's `SecurityOpt` with the narrow profile."""
    return [*options, f"{_OPTION}{narrow_profile()}"]


def without_profile(options: list[str]) -> list[str]:
    """Return `SecurityOpt` as a client sends it, who may not choose a profile."""
    return [each for each in options if not each.startswith(_OPTION)]


def named(option: str) -> str:
    """Return an entry of `SecurityOpt`, with its profile, of some 14 KB, named only."""
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
    narrow = {
        **profile,
        "archMap": [{**each, "subArchitectures": []} for each in profile["archMap"]],
        "syscalls": [*kept, *_sockets(), _allow("socketpair", _compare(_FAMILY, "EQ", socket.AF_UNIX))],
    }
    return json.dumps(narrow, separators=(",", ":"))


def _sockets() -> Iterator[Mapping[str, Any]]:
    """Yield the rules for `socket`.

    What is left out is answered as a kernel that lacks it does, so that programs go on without: at EPERM
    libpcap lists no interface, as it gets no Bluetooth socket, and sshd lets nobody in, as it gets no audit.
    No two rules are true at once: libseccomp does not choose the more exact one.
    """
    for family in (socket.AF_UNIX, socket.AF_PACKET):
        yield _allow("socket", _compare(_FAMILY, "EQ", family))
    netlink = _compare(_FAMILY, "EQ", socket.AF_NETLINK)
    yield _allow("socket", netlink, _compare(_PROTOCOL, "EQ", _ROUTE))
    yield _refuse(errno.EPROTONOSUPPORT, netlink, _compare(_PROTOCOL, "GT", _ROUTE))
    for family in (socket.AF_INET, socket.AF_INET6):
        yield _allow("socket", _compare(_FAMILY, "EQ", family), _type(socket.SOCK_RAW))
    for (version, kind), protocols in _PROTOCOLS.items():
        chosen = _compare(_FAMILY, "EQ", version), _type(kind)
        yield from (_allow("socket", *chosen, _compare(_PROTOCOL, "EQ", each)) for each in protocols)
        # Those between are asked for by nobody, and get EPERM.
        yield _refuse(errno.EPROTONOSUPPORT, *chosen, _compare(_PROTOCOL, "GT", max(protocols)))
    for other in sorted(set(range(max(_FAMILIES))).difference(_FAMILIES)):
        yield _refuse(errno.EAFNOSUPPORT, _compare(_FAMILY, "EQ", other))
    yield _refuse(errno.EAFNOSUPPORT, _compare(_FAMILY, "GT", max(_FAMILIES)))


def _type(kind: int) -> Mapping[str, Any]:
    return {**_compare(_TYPE, "MASKED_EQ", _TYPE_BITS), "valueTwo": int(kind)}


def _allow(name: str, *comparisons: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": comparisons}


def _refuse(number: int, *comparisons: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": number, "args": comparisons}


def _compare(index: int, operator: str, value: int) -> Mapping[str, Any]:
    return {"index": index, "value": int(value), "op": f"SCMP_CMP_{operator}"}
