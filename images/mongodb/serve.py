"""Starts NX-27017 on a folder of databases: no pid file, no log file, and an end as soon as it is asked for.

Usage: serve.py FOLDER ADDRESS
"""

import asyncio
import os
import signal
import sys

from nx_27017.handler import NeoSQLiteHandler
from nx_27017.server import run_server


def main() -> None:
    folder, address = sys.argv[1:]
    # The package's own handler waits for every client to leave; databases here are copies.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    handler = NeoSQLiteHandler(folder, journal_mode="DELETE", data_dir=folder)
    asyncio.run(run_server(address, 27017, handler))


if __name__ == "__main__":
    main()
