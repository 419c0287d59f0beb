"""A process that imports a program once and starts it by fork, once for each request.

Standard input is a Unix socket. A request is one packet of JSON with four descriptors: the new process's
standard streams, and one for its exit code when it ends. It answers with its id.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any

_MAX_REQUEST_BYTES = 256 * 1024


def main(modules: list[str]) -> None:
    """Import `modules`, then start the first one's `main` for each request, until standard input ends."""
    gc.disable()
    program = importlib.import_module(modules[0])
    for name in modules[1:]:
        importlib.import_module(name)
    gc.freeze()
    gc.enable()
    requests = socket.socket(fileno=os.dup(0))
    ended, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([requests.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _report_ended(running)
        if requests.fileno() not in ready:
            continue
        line, descriptors, _, _ = socket.recv_fds(requests, _MAX_REQUEST_BYTES, 4)
        if not line:
            return
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _become(wanted, descriptors[:3])
            except OSError as error:
                requests.sendall(str(error).encode())
                os._exit(1)
            requests.sendall(str(os.getpid()).encode())
            requests.close()
            for descriptor in (ended, wakes, *descriptors, *running.values()):
                os.close(descriptor)
            program.main()
            sys.exit(0)
        for descriptor in descriptors[:3]:
            os.close(descriptor)
        running[pid] = descriptors[3]


def _report_ended(running: dict[int, int]) -> None:
    """Write the exit code of each child that has ended to its descriptor."""
    for pid in list(running):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            descriptor = running.pop(pid)
            os.write(descriptor, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(descriptor)


def _become(wanted: dict[str, Any], streams: list[int]) -> None:
    """Take the session, network, folder, environment, arguments and streams of a newly started process."""
    os.setsid()
    if wanted["network"]:
        namespace = os.open(wanted["network"], os.O_RDONLY | os.O_CLOEXEC)
        os.setns(namespace, os.CLONE_NEWNET)
        os.close(namespace)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.argv = wanted["arguments"]
    for target, source in enumerate(streams):
        os.dup2(source, target)
    # Python's own were made for others: they know whether these were files or terminals.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)


if __name__ == "__main__":
    main(sys.argv[1:])
