"""A process that has imported a service and starts it by fork, once for each request.

Standard input is a Unix socket. A request is one packet of JSON with a descriptor; the new
process answers with its id. When it ends, its exit code is written to the descriptor.
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

_MOST = 256 * 1024


def main(modules: list[str]) -> None:
    """Import `modules`, whose first has the service's `main`, and start it until standard input ends."""
    service = importlib.import_module(modules[0])
    for name in modules[1:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    requests = socket.socket(fileno=os.dup(0))
    ended, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    told: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([requests, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _tell_of_ends(told)
        if requests not in ready:
            continue
        line, descriptors, _, _ = socket.recv_fds(requests, _MOST, 1)
        if not line:
            return
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (ended, wakes, *descriptors, *told.values()):
                os.close(descriptor)
            try:
                _become(wanted)
            except OSError as error:
                requests.sendall(str(error).encode())
                os._exit(1)
            requests.sendall(str(os.getpid()).encode())
            requests.close()
            service.main()
            sys.exit(0)
        told[pid] = descriptors[0]


def _tell_of_ends(told: dict[int, int]) -> None:
    for pid in list(told):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            descriptor = told.pop(pid)
            os.write(descriptor, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(descriptor)


def _become(wanted: dict[str, Any]) -> None:
    """Have the session, folder, environment, arguments, and streams of a process that was started."""
    os.setsid()
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.argv = wanted["arguments"]
    nowhere = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_APPEND)
    for source, target in ((nowhere, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nowhere)
    os.close(log)


if __name__ == "__main__":
    main(sys.argv[1:])
