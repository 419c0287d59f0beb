"""An embedded PostgreSQL that tests stop and start at will."""

import asyncio
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dryrun_local.system.postgres import create_cluster, is_ready, server_command, url_of

_WITH_ITS_PARENT = ("setpriv", "--pdeathsig", "INT", "--")
"""A run of tests that is killed leaves no server. The kernel forgets it where a user namespace is entered."""


class EmbeddedPostgres:
    """A server whose data, socket and log lie in `folder`. A short path: a socket's name has 107 bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel counts the thread as the parent, and a test may call `start` in one that ends before.
        self._parent = ThreadPoolExecutor(1, thread_name_prefix="postgres")

    def url(self, database: str) -> str:
        return url_of(database, self._folder)

    @property
    def socket(self) -> Path:
        return self._folder / ".s.PGSQL.5432"

    def start(self) -> None:
        if not self._data.exists():
            asyncio.run(create_cluster(self._data, os.environ))
        self._process = self._parent.submit(self._begin).result()
        deadline = time.monotonic() + 30
        while not is_ready(self._data, self._process.pid):
            log_text = (self._folder / "log").read_text
            assert self._process.poll() is None, f"PostgreSQL ended: {log_text()}"
            assert time.monotonic() < deadline, f"PostgreSQL is not ready: {log_text()}"
            time.sleep(0.02)

    def _begin(self) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                server_command(self._data, self._folder, by=_WITH_ITS_PARENT),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it as an operator does in a hurry: its clients lose their connections."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash does, without a checkpoint."""
        self._end(signal.SIGQUIT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None
