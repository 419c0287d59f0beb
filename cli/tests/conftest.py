"""The fake API on a real port: event streams need a server that does not wait for the answer's end."""

import asyncio
import contextlib
import os
import threading
import time

import pytest
import uvicorn
from fake_approval_api import TOKEN, FakeApi
from forked_services import Forge
from signed_archives import KEY, public_line
from terminal_text import DRYRUN


class Stage:
    """One server for all tests; each test plays its own fake on it."""

    def __init__(self):
        self.fake = None
        self.url = ""

    async def __call__(self, scope, receive, send):
        await self.fake(scope, receive, send)


@pytest.fixture(scope="session")
def stage():
    stage = Stage()
    config = uvicorn.Config(
        stage, port=0, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    stage.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield stage
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def api(stage):
    fake = stage.fake = FakeApi(speed=400)
    fake.url = stage.url
    yield fake
    fake.closing = True


@pytest.fixture
def environment(api, tmp_path):
    """The environment of a person whose API is the fake."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "DRYRUN_API_URL": api.url,
        "DRYRUN_API_TOKEN": TOKEN,
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
    }


@pytest.fixture
def run(environment, monkeypatch):
    """Run `dryrun` in this process, into a pipe; return (exit code, stdout, stderr)."""
    from typer.testing import CliRunner

    from dryrun_cli.main import app

    for name in list(os.environ):
        if name.startswith("DRYRUN_") or name in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}:
            monkeypatch.delenv(name)

    def run(*arguments, **more):
        result = CliRunner().invoke(app, list(map(str, arguments)), env={**environment, **more})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


def written_to(controller, interrupt_at=()):
    """Return what is written to a terminal until nobody holds it; type Ctrl-C after each of these words."""
    output = b""
    waiting = list(interrupt_at)
    deadline = time.monotonic() + 30
    with contextlib.suppress(OSError):  # EIO: the last holder of the terminal is gone
        while time.monotonic() < deadline:
            chunk = os.read(controller, 65536)
            if not chunk:
                break
            output += chunk
            if waiting and waiting[0].encode() in output:
                waiting.pop(0)
                os.write(controller, b"\x03")
    os.close(controller)
    return output


@pytest.fixture(scope="session")
def forge():
    """Imports `dryrun` once: that takes most of a run's 0.4 s of processor time."""
    parts = ("api.client", "api.event_stream", "drawing.tables", "live.screens")
    forge = Forge(("dryrun_cli.main", *(f"dryrun_cli.{part}" for part in parts)))
    yield forge
    forge.close()


@pytest.fixture
def on_terminal(environment, forge, tmp_path):
    """Run `dryrun` on a pseudo-terminal; return (exit code, everything it wrote).

    It is forked, unless Ctrl-C is typed or a variable is for Python's own start.
    """
    import fcntl
    import pty
    import struct
    import subprocess
    import termios

    def on_terminal(*arguments, size=(30, 100), interrupt_at=(), **more):
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        if not interrupt_at and "PYTHONIOENCODING" not in more:
            words = (DRYRUN, *map(str, arguments))
            process = forge.start(words, {**environment, **more}, tmp_path, [terminal] * 3)
            os.close(terminal)
            output = written_to(controller)
            return asyncio.run(asyncio.wait_for(process.wait(), 10)), output.decode("utf-8")
        # setsid makes the terminal the controlling one, so that a typed Ctrl-C arrives as SIGINT.
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", DRYRUN, *map(str, arguments)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**environment, **more},
        )
        os.close(terminal)
        output = written_to(controller, interrupt_at)
        return process.wait(10), output.decode("utf-8")

    return on_terminal


@pytest.fixture
def verify(run, tmp_path):
    """Write an archive and the trusted keys, and run `dryrun report verify`."""

    def verify(content, *options, keys=(KEY,)):
        (tmp_path / "report.zip").write_bytes(content)
        (tmp_path / "report-key.pub").write_text("".join(map(public_line, keys)))
        return run(
            "report", "verify", tmp_path / "report.zip", "--key", tmp_path / "report-key.pub", *options
        )

    return verify
