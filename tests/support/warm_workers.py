"""Forks the worker processes of pytest-xdist from a process that has collected all tests already.

    python tests/support/warm_workers.py --collect SOCKET PYTEST-OPTIONS
    pytest PYTEST-OPTIONS --dist=load --tx "6*popen//python=python tests/support/warm_workers.py SOCKET"

To import the tests and what they test takes a worker most of ten seconds of processor time before its first
test; a fork has it all. The second command starts each worker in the usual way where the first one has failed
or has ended.
"""

import gc
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

_MAX_REQUEST_BYTES = 256 * 1024


def collect(path: Path, options: list[str]) -> None:
    """Collect tests as pytest with `options` does, then fork a worker for each request, until killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as requests:
        requests.bind(str(path))
        # Who comes before all is collected waits.
        requests.listen(100)
        import pytest  # a worker that is forked does without

        code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *options], [_Unfinished()])
        if code != pytest.ExitCode.OK:
            sys.exit(f"warm_workers: nothing to fork: collecting the tests ended with {code!r}")
        if threading.active_count() > 1:
            sys.exit(f"warm_workers: {threading.enumerate()} would be missing in a fork")
        gc.freeze()
        while True:
            try:
                request, _ = requests.accept()
            except KeyboardInterrupt:
                return
            wanted, streams, _, _ = socket.recv_fds(request, _MAX_REQUEST_BYTES, 3)
            # A fork of a fork is nobody's child: this process has none to wait for.
            child = os.fork()
            if child == 0:
                if os.fork():
                    os._exit(0)
                requests.close()
                _work(request, json.loads(wanted), streams)
            os.waitpid(child, 0)
            for descriptor in (request.detach(), *streams):
                os.close(descriptor)


class _Unfinished:
    """Forgets each module that was skipped while it was imported: a worker has to learn that too."""

    def pytest_collectreport(self, report: Any) -> None:
        """Take it from the modules, where what was left before its end would count as all of it."""
        if report.outcome == "passed":
            return
        path = str(Path(report.fspath).resolve())
        for name, module in list(sys.modules.items()):
            if getattr(module, "__file__", None) == path:
                del sys.modules[name]


def _work(request: socket.socket, wanted: dict[str, Any], streams: list[int]) -> None:
    """Become the Python that a worker is started with; its end closes `request`."""
    for target, source in enumerate(streams):
        os.dup2(source, target)
        os.close(source)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.argv = ["-c"]
    request.sendall(b"started")
    # As in a worker that imports: see the conftest of all tests, whose collection switches it on again.
    gc.disable()
    exec(wanted["command"], {"__name__": "__main__"})  # what `python -c` does
    sys.exit(0)


def ask(path: str, arguments: list[str]) -> None:
    """Have a worker forked with this process's streams and wait for its end; without one, start it here."""
    if not _has_worked(path, arguments):
        os.execv(sys.executable, [sys.executable, *arguments])


def _has_worked(path: str, arguments: list[str]) -> bool:
    wanted = {"folder": str(Path.cwd()), "environment": dict(os.environ), "command": arguments[-1]}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as request:
        try:
            request.connect(path)
            socket.send_fds(request, [json.dumps(wanted).encode()], [0, 1, 2])
            if not request.recv(64):
                return False
        except OSError:
            return False
        # Ctrl-C reaches the worker as well, which removes what its tests made and reports: this ends with it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Only the worker itself reads and writes them from now on: their ends are the controller's news.
        for stream in (0, 1):
            os.close(stream)
        return request.recv(64) == b""


if __name__ == "__main__":
    if sys.argv[1] == "--collect":
        collect(Path(sys.argv[2]), sys.argv[3:])
    else:
        ask(sys.argv[1], sys.argv[2:])
