"""Looks from inside a container at what listens there: the kernel's own list, no collector's code."""

import re
from typing import Any

from bench.network.hosts import Host

_LINE = re.compile(r"^LISTEN\s+\d+\s+\d+\s+(?P<address>\S+):(?P<port>\d+)\s+\S+\s+users:(?P<users>.+)$")
_PROCESS = re.compile(r'\("([^"]+)",pid=')
_LOOPBACK = ("127.", "[::1]", "[::ffff:127.")


class WrongNetworkError(RuntimeError):
    """A network that is not what its table says: nothing can be compared with it."""


def problems(host: Host, container: Any) -> list[str]:
    """Return how the container differs from the table: ports that lack or are too many, other processes."""
    container.reload()
    if container.status != "running":
        return [f"{host.name} is {container.status}: {container.logs(tail=5).decode(errors='replace')}"]
    # Privileged, for the names of the processes of other users; only here, and only to look.
    code, output = container.exec_run(["ss", "-Hltnp"], privileged=True)
    if code:
        return [f"{host.name}: ss ended with {code}"]
    return differences(host, output.decode(errors="replace"))


def differences(host: Host, output: str) -> list[str]:
    """Compare the table with what `ss -Hltnp` printed; what listens on loopback alone is left out."""
    found: dict[int, set[str]] = {}
    for line in output.splitlines():
        if (match := _LINE.match(line)) and not match["address"].startswith(_LOOPBACK):
            # Several processes of one server may hold a port.
            found.setdefault(int(match["port"]), set()).update(_PROCESS.findall(match["users"]))
    wanted = {service.port: service.process for service in host.services}
    return [
        f"{host.name}:{port}: {', '.join(sorted(found.get(port, {'nothing'})))} "
        f"instead of {wanted.get(port, 'nothing')}"
        for port in sorted(found.keys() | wanted.keys())
        if wanted.get(port) not in found.get(port, set())
    ]
