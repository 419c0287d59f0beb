"""HAProxy before the engine, with rules of the kind that Docker's socket proxies have, older and newer."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

RECORD = frozenset({"CONTAINERS", "NETWORKS", "POST", "DELETE", "EVENTS", "PING", "VERSION", "LOGS"})
"""Switched on by the record, or by default; LOGS is a flag of newer proxies only."""
SECTIONS = {
    "CONTAINERS": "/containers",
    "NETWORKS": "/networks",
    "EVENTS": "/events",
    "PING": "/_ping",
    "VERSION": "/version",
}
_LINE = re.compile(r"(\S\S) (\S+) (?:/v[0-9.]+)?(\S+)")


@dataclass(frozen=True, order=True)
class ProxiedCall:
    """One call as the proxy wrote it down; ids stand as `*`, the API version is left out."""

    method: str
    path: str
    denied: bool
    """By the proxy; the engine itself answers 403 for a network that is still in use."""


def rules(flags: frozenset[str], *, newer: bool) -> str:
    """Return rules by method and path; in the newer form DELETE and logs have flags of their own."""
    lines = []
    if newer:
        methods = ["GET", "HEAD", *sorted({"POST", "DELETE"} & flags)]
        lines.append(f"http-request deny unless {{ method {' '.join(methods)} }}")
        if "LOGS" not in flags:
            lines.append(r"http-request deny if { path -m reg ^(/v[0-9.]+)?/containers/[^/]+/logs }")
    elif "POST" not in flags:
        lines.append("http-request deny unless { method GET HEAD }")
    lines += [
        f"http-request allow if {{ path -m reg ^(/v[0-9.]+)?{path} }}"
        for flag, path in SECTIONS.items()
        if flag in flags
    ]
    return "\n    ".join([*lines, "http-request deny"])


class Haproxy:
    """One proxy at one place, a port of loopback and a Unix socket; its rules may change."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._log = folder / "calls.log"
        self._read = 0
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.socket_path = str(folder / "engine.sock")
        self.docker_host = f"tcp://127.0.0.1:{self._port}"

    def start(self, flags: frozenset[str], *, newer: bool, cut_seconds: int = 600) -> None:
        """Begin with these rules, or go on with others; connections that are open break."""
        self.stop()
        configuration = self._folder / "haproxy.cfg"
        configuration.write_text(
            f"""
global
    log stdout format raw local0
defaults
    mode http
    log global
    log-format "%ts %HM %HPO"
    option http-server-close
    timeout connect 5s
    timeout client {cut_seconds}s
    timeout server {cut_seconds}s
frontend socket
    bind 127.0.0.1:{self._port}
    bind unix@{self.socket_path}
    {rules(flags, newer=newer)}
    default_backend engine
backend engine
    server engine /var/run/docker.sock
"""
        )
        with self._log.open("ab") as log, (self._folder / "complaints.log").open("ab") as complaints:
            command = [self._program, "-db", "-f", str(configuration)]
            self._process = subprocess.Popen(command, stdout=log, stderr=complaints)
        self._wait_until_it_listens()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def take_calls(self) -> list[ProxiedCall]:
        """Return the calls that ended since this was asked last."""
        with self._log.open() as log:
            log.seek(self._read)
            lines = log.read().splitlines()
            self._read = log.tell()
        found = (_LINE.fullmatch(line) for line in lines)
        return [
            ProxiedCall(match[2], re.sub(r"/[0-9a-f]{64}(?=/|$)", "/*", match[3]), match[1] == "PR")
            for match in found
            if match is not None and match[2] != "<BADREQ>"
        ]

    def _wait_until_it_listens(self) -> None:
        end = time.monotonic() + 10
        while True:
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", self._port)),
            ):
                return
            assert time.monotonic() < end, (self._folder / "complaints.log").read_text()
            time.sleep(0.05)


@contextmanager
def open_haproxy() -> Iterator[Haproxy]:
    """Give a proxy that is yet to be started, and end it with the block."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("haproxy is not installed; `make test` installs it", pytrace=False)
    # A short path: the name of a Unix socket has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="dt-") as folder:
        proxy = Haproxy(program, Path(folder))
        try:
            yield proxy
        finally:
            proxy.stop()
