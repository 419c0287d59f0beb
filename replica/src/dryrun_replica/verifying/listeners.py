"""What listens in a stand-in, and the Debian package of the program that listens, read from its /proc."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dryrun_replica.verifying.container import Container

_STATES = {"tcp": "0A", "udp": "07"}
_SCRIPT = r"""
for protocol in tcp udp; do
    for file in /proc/net/$protocol /proc/net/${protocol}6; do
        [ -e "$file" ] && while read -r line; do echo "socket $protocol $line"; done < "$file"
    done
done
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$pid" = $$ ] && continue
    program=$(readlink "$folder/exe") || continue
    words=$(tr '\0\n' '  ' < "$folder/cmdline" 2> /dev/null)
    echo "program $pid $program $words"
    ls -l "$folder/fd" 2> /dev/null | sed -n "s/.*socket:\[\([0-9]*\)\].*/holds $pid \1/p"
    for word in "$program" $words; do
        case $word in
            /usr/* | /bin/* | /sbin/* | /lib/*)
                [ -e "$word" ] && echo "file $pid $(realpath "$word") $word" ;;
        esac
    done
done
"""
_OWNERS = "dpkg-query -S -- $(cat) 2> /dev/null"


@dataclass(frozen=True, slots=True)
class Listener:
    """An open port, and who opened it."""

    port: int
    transport: str
    is_local: bool
    """Bound to the loopback interface: nobody else reaches it."""
    command: str
    packages: frozenset[str]
    """Packages of its program, and of the scripts that its command line names."""

    @property
    def key(self) -> str:
        """As ground truth writes it, e.g. `:80/tcp`."""
        return f":{self.port}/{self.transport}"


async def listeners(container: Container) -> list[Listener]:
    """Return every open port once, with the oldest process that holds it."""
    lines = (await container.ask("bash", "-c", _SCRIPT, root=True)).splitlines()
    programs = {
        int(found[1]): found[2] for line in lines if (found := re.fullmatch(r"program (\d+) (.*)", line))
    }
    files = [found for line in lines if (found := re.fullmatch(r"file (\d+) (\S+) (\S+)", line))]
    owners = await _owners(container, {name for found in files for name in (found[2], found[3])})
    holders: dict[str, int] = {}
    for line in lines:
        if found := re.fullmatch(r"holds (\d+) (\d+)", line):
            holders[found[2]] = min(int(found[1]), holders.get(found[2], int(found[1])))
    seen: dict[tuple[int, str], Listener] = {}
    for transport, port, inode, is_local in _open(lines):
        pid = holders.get(inode, 0)
        packages = frozenset(
            package
            for found in files
            if int(found[1]) == pid
            for name in (found[2], found[3])
            for package in owners.get(name, ())
        )
        if (port, transport) not in seen or not is_local:
            command = programs.get(pid, "nobody")
            seen[port, transport] = Listener(port, transport, is_local, command, packages)
    return [seen[place] for place in sorted(seen)]


async def package_versions(container: Container) -> Mapping[str, str]:
    """Return the upstream version of each package, without Debian's own suffixes."""
    listed = await container.ask("dpkg-query", "-W", "-f", "${Package} ${source:Upstream-Version}\\n")
    return dict(line.split(" ", 1) for line in listed.splitlines() if " " in line)


async def _owners(container: Container, names: set[str]) -> dict[str, frozenset[str]]:
    # Before /bin became a link, packages listed files there.
    spelled = {*names, *(name.removeprefix("/usr") for name in names if name.startswith("/usr/"))}
    answer = await container.ask("bash", "-c", _OWNERS, text="\n".join(sorted(spelled)))
    found: dict[str, frozenset[str]] = {}
    for line in answer.splitlines():
        packages, _, name = line.rpartition(": ")
        named = frozenset(re.sub(r":\w+$", "", part.strip()) for part in packages.split(","))
        found[name] = found.get(name, frozenset()) | named
        found[f"/usr{name}"] = found.get(f"/usr{name}", frozenset()) | named
    return found


def _open(lines: list[str]) -> Iterator[tuple[str, int, str, bool]]:
    for line in lines:
        fields = line.split()
        if fields[:1] != ["socket"] or len(fields) < 12 or fields[5] != _STATES[fields[1]]:
            continue
        address, port = fields[3].split(":")
        is_local = address.endswith("7F") if len(address) == 8 else address == "0" * 24 + "01000000"
        # A connected UDP socket is a question that the program asks, not a port that it serves.
        if fields[1] == "udp" and not fields[4].endswith(":0000"):
            continue
        yield fields[1], int(port, 16), fields[11], is_local
