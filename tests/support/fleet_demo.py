"""`make fleet-demo`: one session spread over three engines on this machine, from start to report (root).

Outside, it only forwards this machine's port 8470 to where the rest runs, beside an engine of its own in a
network of its own. `--up` serves until Ctrl-C instead, for starting sessions in the browser.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from fleet_lab import POOL, FleetLab, open_fleet
from local_stack import ROOT

from dryrun_local.system.ports import free_ports

PORT: Final = 8470
PIECE_BYTES: Final = 65536
ROOMS: Final = {"a": 9, "b": 9, "c": 9}
"""Containers of each host: the template `large` has 20 targets, and two collectors run beside them."""
PROGRAM: Final = Path(sys.prefix) / "bin" / "dryrun-local"


def outside(arguments: list[str]) -> int:
    """Listen where a browser can connect, and start the rest with that socket."""
    (port,) = free_ports(PORT)
    listener = socket.create_server(("127.0.0.1", port))
    say(f"In the browser, once it runs: http://127.0.0.1:{port}")
    command = [ROOT / "tests/support/with-own-engine", sys.executable, __file__]
    with listener:
        handle = listener.fileno()
        child = subprocess.Popen([*command, f"--inside={handle}", *arguments], pass_fds=[handle])
        # Ctrl-C reaches the child by the terminal; this process waits for its end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return child.wait()


def inside(descriptor: int, arguments: list[str]) -> int:
    """Run the fleet, and the system on it."""
    listener = socket.socket(fileno=descriptor)
    with (
        tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True) as folder,
        open_fleet(Path(folder) / "fleet", ROOT / ".dryrun" / "allowlist.json") as fleet,
    ):
        say("Three engines are one fleet; their guards answer.")
        return asyncio.run(run_system(fleet, listener, arguments))


async def run_system(fleet: FleetLab, listener: socket.socket, arguments: list[str]) -> int:
    file = fleet.folder / "fleet.yml"
    file.write_text(fleet.fleet_file(**ROOMS))
    environment = {**os.environ, "ORCHESTRATOR_FLEET": str(file), "ORCHESTRATOR_SUBNET_POOL": POOL}
    forwarding = await asyncio.start_server(forward, sock=listener)
    command = ["up"] if "--up" in arguments else ["demo", "--template", "large", "--plain"]
    system = await asyncio.create_subprocess_exec(PROGRAM, *command, env=environment, cwd=ROOT)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    code = await system.wait()
    forwarding.close()
    left = [each for host in fleet.hosts.values() for each in host.docker("ps", "--all", "--quiet").split()]
    say(f"Containers left on the three hosts: {len(left)}")
    return code or bool(left)


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass a browser's connection on to the approval API."""
    try:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", PORT)
    except OSError:
        writer.close()
        return
    async with asyncio.TaskGroup() as group:
        group.create_task(copy(reader, there_writer))
        group.create_task(copy(there_reader, writer))


async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(PIECE_BYTES):
            sink.write(piece)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command speaks to its user


if __name__ == "__main__":
    first, *rest = sys.argv[1:] or [""]
    if first.startswith("--inside="):
        sys.exit(inside(int(first.partition("=")[2]), rest))
    sys.exit(outside(sys.argv[1:]))
