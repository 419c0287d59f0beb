"""A run of tests that is killed leaves no server of PostgreSQL behind."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from embedded_postgres import EmbeddedPostgres

RUN = """
import sys, time
from pathlib import Path
from embedded_postgres import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
print("ready", flush=True)
time.sleep(60)
"""


def test_the_server_ends_with_the_process_that_started_it():
    # A socket's name has 107 bytes: pytest's folders are too deep.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/dev/shm") as folder:
        command = [sys.executable, "-c", RUN, folder]
        path = os.pathsep.join(sys.path)
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == b"ready\n"
            server = int((Path(folder) / "data/postmaster.pid").read_text().split()[0])
            assert Path(f"/proc/{server}").exists()
            run.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{server}").exists():
            assert time.monotonic() < deadline, "the server outlives who started it"
            time.sleep(0.05)


def test_the_server_outlives_a_thread_that_started_it():
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/dev/shm") as folder:
        server = EmbeddedPostgres(Path(folder))
        thread = threading.Thread(target=server.start)
        thread.start()
        thread.join(60)
        try:
            time.sleep(0.5)
            assert server.socket.exists()
        finally:
            server.stop()
