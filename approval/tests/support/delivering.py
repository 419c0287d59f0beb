"""The process that sends deliveries and notifications, as an operator starts it."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager


@asynccontextmanager
async def delivering(database_url, receiver, **settings):
    """Run it with the webhooks' receiver as the one listed host; yield the process, and end it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "approval_api",
        "deliver",
        env={
            "PATH": os.environ["PATH"],
            "DELIVERY_DATABASE_URL": database_url,
            "DELIVERY_HOSTS": f"http://127.0.0.1:{receiver.port}=127.0.0.1",
            **settings,
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
