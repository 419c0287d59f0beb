"""Runs `docker-guard serve` with its operator's arguments, in front of the real engine.

It starts by fork, as services do in tests: to import it takes half a second of processor.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from engine_socket import Answer, exchange, request_bytes
from forked_services import FORGES, ForkedProcess

PROGRAM = Path(sys.prefix) / "bin" / "docker-guard"


class GuardProcess:
    """One guard. `address` is where clients connect: a socket's path, or host and port."""

    def __init__(
        self,
        folder: Path,
        engine: Path | str,
        allowlist: Mapping[str, Any],
        *,
        name: str = "guard",
        tcp: bool = False,
        policy: Mapping[str, Any] | None = None,
        log: Path | None = None,
    ) -> None:
        self._folder = folder
        self._name = name
        self._child: ForkedProcess | None = None
        self.log = log or folder / f"{name}.log"
        self.metrics_port = free_port()
        self.address: str | tuple[str, int] = (
            ("127.0.0.1", free_port()) if tcp else str(folder / f"{name}.sock")
        )
        listed = folder / f"{name}.allowlist.json"
        listed.write_text(json.dumps(allowlist))
        self._command = [
            str(PROGRAM),
            "serve",
            "--listen",
            self.url,
            "--docker",
            f"unix://{engine}",
            "--allowlist",
            str(listed),
            "--metrics",
            f"127.0.0.1:{self.metrics_port}",
        ]
        if policy is not None:
            rules = folder / f"{name}.policy.json"
            rules.write_text(json.dumps(policy))
            self._command += ["--policy", str(rules)]

    @property
    def url(self) -> str:
        """As DOCKER_HOST has it."""
        if isinstance(self.address, str):
            return f"unix://{self.address}"
        return f"tcp://{self.address[0]}:{self.address[1]}"

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            # It would go on, and remove what is past its deadline in place of the guards of later tests.
            self.stop(sign=signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, seconds: float = 20) -> None:
        """Start it and return when it answers a ping."""
        self._child = FORGES.start(self._command, _environment(), Path.cwd(), self.log)
        deadline = time.monotonic() + seconds
        while not self.answers():
            assert self._child.returncode is None, f"the guard ended: {self._last_words()}"
            assert time.monotonic() < deadline, f"no answer in {seconds} s: {self._last_words()}"
            time.sleep(0.05)

    def stop(self, *, sign: int = signal.SIGTERM) -> None:
        if self._child is not None:
            self._child.send_signal(sign)
            if not self._child.has_ended_within(10):
                self._child.kill()
                assert self._child.has_ended_within(10), "the guard was killed, and goes on"
        self._child = None

    def _last_words(self) -> str:
        return self.log.read_text()[-2000:] if self.log.is_file() else "its log is no file"

    def answers(self, seconds: float = 5) -> bool:
        """Whether it answers a ping."""
        try:
            return exchange(self.address, request_bytes("GET", "/_ping"), seconds).status == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: Any = None, *, seconds: float = 30) -> Answer:
        """Send one well-formed request."""
        sent = None if body is None else json.dumps(body).encode()
        return exchange(self.address, request_bytes(method, path, (), sent), seconds)

    def must(self, method: str, path: str, body: Any = None) -> Any:
        """Return the parsed answer of a request that the guard has to let through."""
        answer = self.ask(method, path, body)
        assert 200 <= answer.status < 400, f"{method} {path}: {answer.status} {answer.body[:500]!r}"
        return answer.json() if answer.body.strip() else None

    def decisions(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the decisions of its audit log, from a byte of its log on."""
        with self.log.open("rb") as log:
            log.seek(since)
            entries = [json.loads(line) for line in log if line.startswith(b"{")]
        return [entry for entry in entries if entry["type"] == "decision"]

    def open_files(self) -> int:
        """Return how many files and connections it holds."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def memory_bytes(self) -> int:
        """Return the most memory it has ever held (`VmHWM`)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """Leave out what may configure another guard, or docker itself."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DOCKER_", "GUARD_", "ORCHESTRATOR_"))
    }
