"""What listens in a container, and which program it belongs to, read from its /proc."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from target_container import TargetContainer, docker

_LISTENING = {"tcp": "0A", "udp": "07"}
_READ = """
echo "ephemeral $(cat /proc/sys/net/ipv4/ip_local_port_range)"
for protocol in tcp udp; do
    for file in /proc/net/$protocol /proc/net/${protocol}6; do
        [ -e $file ] && sed "s/^/socket $protocol /" $file
    done
done
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$pid" = $$ ] && continue
    echo "program $pid $(readlink $folder/exe) $(tr '\\0' ' ' < $folder/cmdline 2> /dev/null)"
    ls -l $folder/fd 2> /dev/null | sed -n "s/.*socket:\\[\\([0-9]*\\)\\].*/holds $pid \\1/p"
done
true
"""


@dataclass(frozen=True, slots=True)
class Listener:
    """An open port. `program` is its executable's name, `command` how it was started."""

    port: int
    transport: str
    program: str
    command: str

    @property
    def key(self) -> str:
        return f":{self.port}/{self.transport}"


def listeners(target: TargetContainer, served: Collection[str] = ()) -> list[Listener]:
    """Return what others can reach: not what is bound to the loopback interface.

    A UDP socket on a port that the kernel gives to clients counts only when it is in `served`, the keys
    of services that the ground truth states.
    """
    said = docker("exec", "--privileged", "--user=0", target.id, "bash", "-c", _READ, seconds=60)
    return listeners_of(said, served)


def listeners_of(said: str, served: Collection[str] = ()) -> list[Listener]:
    """Return the listeners in the words of `_READ`."""
    lines = said.splitlines()
    programs = {
        int(found[1]): (PurePath(found[2]).name, found[3].strip())
        for line in lines
        if (found := re.fullmatch(r"program (\d+) (\S+) ?(.*)", line))
    }
    holders: dict[str, int] = {}
    for line in lines:
        if found := re.fullmatch(r"holds (\d+) (\d+)", line):
            # A master hands its socket to its workers: the oldest is the one that was started.
            holders[found[2]] = min(int(found[1]), holders.get(found[2], int(found[1])))
    (first, last) = map(int, next(line for line in lines if line.startswith("ephemeral ")).split()[1:])
    seen = {}
    for transport, port, inode in _open(lines):
        # A UDP client that asks, as squid asks name servers, has a port of this range and looks the same.
        if transport == "udp" and first <= port <= last and f":{port}/udp" not in served:
            continue
        holder = holders.get(inode)
        assert holder is not None, f"nobody holds the socket of port {port}/{transport}"
        seen[port, transport] = Listener(port, transport, *programs[holder])
    return [seen[place] for place in sorted(seen)]


def _open(lines: list[str]) -> Iterator[tuple[str, int, str]]:
    for line in lines:
        fields = line.split()
        if fields[0] != "socket" or len(fields) < 12 or fields[5] != _LISTENING[fields[1]]:
            continue
        address, port = fields[3].split(":")
        loopback = address.endswith("7F") if len(address) == 8 else address == "0" * 24 + "01000000"
        if not loopback:
            yield fields[1], int(port, 16), fields[11]
