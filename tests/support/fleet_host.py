"""One host of a fleet on this machine: its engine, its guard, and how to reach both."""

import signal
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from engine_socket import EngineSocket
from forked_services import ForkedProcess
from local_stack import PATIENCE

MANAGER: Final = "a"
GUARD_PORT: Final = 2376


def run(*command: str | Path, seconds: float = 60) -> str:
    """Run a command and return what it says."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=seconds * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr.strip()}"
    return done.stdout.strip()


@dataclass(eq=False)
class Host:
    """One host: an engine, and its guard at `guard_url`."""

    name: str
    address: str
    folder: Path
    engine: subprocess.Popen[bytes] | None = None
    """None for the manager's, which runs already."""
    guard: subprocess.Popen[bytes] | ForkedProcess | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.log = self.folder / "guard.log"

    @property
    def is_manager(self) -> bool:
        return self.name == MANAGER

    @property
    def namespace(self) -> str:
        return f"fleet-{self.name}"

    @property
    def link(self) -> str:
        """This host's cable, at the bridge's end."""
        return f"fl-{self.name}"

    @property
    def docker_host(self) -> str:
        """The engine's own socket, for its operator."""
        return "unix:///run/docker.sock" if self.is_manager else f"unix://{self.folder}/engine.sock"

    @property
    def guard_url(self) -> str:
        return f"tcp://{self.address}:{GUARD_PORT}"

    def end_guard(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the guard, unless it has ended; kill it if it does not end within half a minute."""
        if self.guard is None:
            return
        guard = self.guard
        guard.send_signal(number)
        if isinstance(guard, ForkedProcess):
            if not guard.has_ended_within(30):
                guard.kill()
                assert guard.has_ended_within(10), f"the guard of {self.name} was killed, and goes on"
            return
        try:
            guard.wait(30)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait(10)

    def docker(self, *words: str, seconds: float = 60) -> str:
        """Run the docker command as the operator of this host."""
        return run("docker", "--host", self.docker_host, *words, seconds=seconds)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the engine itself, past the guard; None for an answer without a word."""
        with self._engine() as engine:
            said = engine.call(method, path, body)[1]
        return None if said == b"" else said

    def with_label(self, kind: str, label: str) -> list[dict[str, Any]]:
        """Return the engine's `containers` or `networks` that carry a label.

        Tests that wait ask again and again, and each docker command would take 12 ms of processor.
        """
        with self._engine() as engine:
            return engine.with_label(kind, label)

    def _engine(self) -> closing[EngineSocket]:
        return closing(EngineSocket(self.docker_host.removeprefix("unix://")))

    @property
    def network(self) -> Path | None:
        """The file that names this host's network; None for the one of whoever asks."""
        return None if self.is_manager else Path("/run/netns") / self.namespace

    def inside(self, *command: str) -> list[str]:
        """Return a command that runs in this host's network."""
        # Not `ip netns exec`: that hides the cgroups.
        return [*command] if self.network is None else ["nsenter", f"--net={self.network}", *command]
