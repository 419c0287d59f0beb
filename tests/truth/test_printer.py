"""The printer logs every page, also for a client that leaves its job open."""

import asyncio
import importlib.util
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[2] / "images" / "printer" / "printer.py"
_SPEC = importlib.util.spec_from_file_location("printer", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
printer = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(printer)

PAGE = "page printed for 127.0.0.1"


async def printed(capsys: pytest.CaptureFixture[str], *pieces: bytes, ends: bool = True) -> int:
    """Send a job in pieces and return how many pages were logged."""
    handled = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await printer.print_job(reader, writer)
        handled.set()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server, asyncio.timeout(5):
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        said = ""
        if ends:
            writer.close()
            await handled.wait()
        else:
            while PAGE not in said:
                said += capsys.readouterr().out
                await asyncio.sleep(0)
            writer.close()
        return (said + capsys.readouterr().out).count(PAGE)


async def test_a_job_that_is_never_ended_is_on_paper_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert await printed(capsys, b"GET / HTTP/1.0\r\n\r\n", ends=False) == 1


@pytest.mark.parametrize(
    ("job", "pages"),
    [
        (b"", 0),
        (b"one line", 1),
        (b"a\fb", 2),
        (b"a\n" * 60, 1),
        (b"a\n" * 61, 2),
        (b"a" * 80 * 61, 2),
    ],
)
async def test_each_page_is_logged_once(capsys: pytest.CaptureFixture[str], job: bytes, pages: int) -> None:
    assert await printed(capsys, job) == pages
    assert await printed(capsys, job[:1], job[1:]) == pages
