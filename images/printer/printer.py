"""A printer: paper comes out for whatever arrives on port 9100. It logs each page that it prints."""

import asyncio
import signal
from contextlib import suppress

PORT = 9100
PATIENCE_SECONDS = 60
LINES_PER_PAGE = 60
CHARACTERS_PER_LINE = 80
FORM_FEED = b"\f"
LOCAL = "127.0.0.1"
"""Where the health check comes from."""


def pages_of(job: bytes) -> int:
    """Return how many pages a job takes: form feeds end one, and so does the last line of paper."""
    return sum(_pages_of_text(text) for text in job.split(FORM_FEED))


def _pages_of_text(text: bytes) -> int:
    lines = sum(1 + max(0, len(line) - 1) // CHARACTERS_PER_LINE for line in text.splitlines())
    return -(-lines // LINES_PER_PAGE)


async def print_job(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("peername")[0]
    if peer != LOCAL:
        print(f"connection from {peer}", flush=True)
    job, reported = b"", 0
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while arrived := await reader.read(16384):
                job += arrived
                # Paper is drawn in with a page's first line: who leaves the job open has used it, too.
                pages = pages_of(job)
                report(pages - reported, peer)
                # All but the last page are complete, whatever else arrives.
                job = job[-CHARACTERS_PER_LINE:] if pages > 1 else job
                reported = pages_of(job)
    writer.close()


def report(pages: int, peer: str) -> None:
    for _ in range(pages):
        print(f"page printed for {peer}", flush=True)


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.start_server(print_job, "0.0.0.0", PORT)  # noqa: S104  others are meant to reach it
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
