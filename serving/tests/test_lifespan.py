"""A service whose application fails ends, as a failure: whatever runs it starts it again."""

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from dryrun_serving.ceiling import Ceiling
from dryrun_serving.server import SHUTDOWN_SECONDS, create_server
from dryrun_serving.working import WorkEndedError, working

PROGRAM = """
import asyncio, logging, os, signal, sys, time
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from dryrun_serving import server as module
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.server import create_server
from dryrun_serving.working import working

what = sys.argv[1]
module.END_SECONDS = 1.0
logging.basicConfig(stream=sys.stdout)

async def work():
    await asyncio.sleep(60 if what in {"waits", "is stopped before its start"} else 0.3)
    if what == "waits at its start":
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    if what == "is stopped twice":
        server.stop(), server.stop()
        await asyncio.sleep(60)
    if what == "cancels itself":
        raise asyncio.CancelledError
    if what != "returns":
        raise RuntimeError("a fault of the program")

@asynccontextmanager
async def lifespan(_):
    try:
        async with working({"a part": work}):
            if what == "waits":
                asyncio.get_running_loop().call_later(0.2, lambda: print("serving", flush=True))
            if what in {"waits at its start", "is stopped before its start"}:
                await asyncio.sleep(60)
            yield
    finally:
        if what == "hangs at its end":
            await asyncio.sleep(60)
        if what == "blocks at its end":
            time.sleep(60)

app = Starlette(lifespan=lifespan)
server = create_server(
    app, ("127.0.0.1", 0), connections=Ceiling(8, 8), head_seconds=5, begin_stop=lambda: None
)
if what == "is stopped before its start":
    server.stop()
sys.exit(server.run_to_its_end())
"""


def run(what):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize(
    "what", ["raises", "returns", "cancels itself", "hangs at its end", "blocks at its end"]
)
def test_a_process_ends_as_a_failure_with_its_background_work(what):
    began = time.monotonic()
    done = run(what)
    assert done.returncode == 1, done.stderr
    assert "a part failed; ending the process" in done.stdout
    assert "the service failed; ending the process" in done.stdout
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("what", ["waits at its start", "is stopped before its start"])
def test_a_process_that_is_stopped_while_it_starts_ends_at_once_and_has_not_failed(what):
    began = time.monotonic()
    done = run(what)
    assert (done.returncode, done.stderr) == (0, "")
    assert "stopped before it had started" in done.stdout
    assert "Traceback" not in done.stdout
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_asked_to_end_until_it_has_ended_has_not_failed(number):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "waits"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "serving\n"
        until = time.monotonic() + 15
        while process.poll() is None and time.monotonic() < until:
            process.send_signal(number)
            time.sleep(0.0005)
    finally:
        process.kill()
        _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "")


def test_a_process_that_is_stopped_twice_has_not_failed():
    done = run("is stopped twice")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout


LOOKING = """
import asyncio, gc, sys
from contextlib import asynccontextmanager
from starlette.applications import Starlette
import uvloop
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.server import create_server

gc.disable()

@asynccontextmanager
async def lifespan(_):
    print(eval(sys.argv[1]))
    server.stop()
    yield

app = Starlette(lifespan=lifespan)
server = create_server(
    app, ("127.0.0.1", 0), connections=Ceiling(8, 8), head_seconds=5, begin_stop=lambda: None
)
sys.exit(server.run_to_its_end())
"""


def look_at(expression):
    """Return what an expression is in a process that begins to serve."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKING, expression], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_garbage_is_collected_from_when_it_serves_and_not_among_what_was_there_before():
    assert look_at("gc.isenabled(), gc.get_freeze_count() > 10_000") == "(True, True)"


def test_the_event_loop_does_not_depend_on_what_is_installed():
    assert look_at("type(asyncio.get_running_loop()).__module__") == "asyncio.unix_events"


class Failing:
    """An application whose work fails when told to, and which takes its time to clean up."""

    def __init__(self):
        self.fails = asyncio.Event()
        self.cleaned_up = asyncio.Event()
        self.stopping = asyncio.Event()
        routes = [Route("/livez", self.alive), Route("/stream", self.stream)]
        self.server = create_server(
            Starlette(routes=routes, lifespan=self.lifespan),
            ("127.0.0.1", 0),
            connections=Ceiling(8, 8),
            head_seconds=5,
            begin_stop=self.stopping.set,
        )

    async def work(self):
        await self.fails.wait()
        raise RuntimeError("a fault of the program")

    @asynccontextmanager
    async def lifespan(self, _):
        try:
            async with working({"a part": self.work}):
                yield
        finally:
            await self.cleaned_up.wait()

    async def alive(self, _):
        return PlainTextResponse("alive")

    async def stream(self, _):
        async def pieces():
            yield "begins\n"
            await self.stopping.wait()
            yield "ends\n"

        return StreamingResponse(pieces())


async def is_taken(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True


async def test_streams_end_and_nothing_is_served_while_a_failed_application_cleans_up():
    failing = Failing()
    serving = asyncio.create_task(failing.server.serve())
    while not failing.server.started:
        await asyncio.sleep(0.005)
    port = failing.server.servers[0].sockets[0].getsockname()[1]
    request = b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n"
    async with asyncio.timeout(10):
        streaming, asks = await asyncio.open_connection("127.0.0.1", port)
        asks.write(request % b"/stream")
        assert b"200 OK" in await streaming.readuntil(b"begins\n")
        kept, asking = await asyncio.open_connection("127.0.0.1", port)
        asking.write(request % b"/livez")
        assert b"200 OK" in await kept.readuntil(b"alive")
        failing.fails.set()
        await failing.stopping.wait()
        asking.write(request % b"/livez")
        said = await kept.read()
        assert said.startswith(b"HTTP/1.1 503 "), said
        assert b"urn:dryrun:problem:ending" in said
        assert b"ends\n" in await streaming.read()
        while await is_taken(port):
            await asyncio.sleep(0.05)
        assert not serving.done()
        failing.cleaned_up.set()
        await serving
    asks.close()
    asking.close()


async def alive(_):
    return PlainTextResponse("alive")


async def started(app):
    """Return a server within this program, and the task that serves."""
    server = create_server(
        app, ("127.0.0.1", 0), connections=Ceiling(8, 8), head_seconds=5, begin_stop=lambda: None
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    return server, serving


async def ended_after():
    """Return the seconds from the request to stop to the end of a server with a connection that is kept."""
    server, serving = await started(Starlette(routes=[Route("/livez", alive)]))
    port = server.servers[0].sockets[0].getsockname()[1]
    answers, asks = await asyncio.open_connection("127.0.0.1", port)
    asks.write(b"GET /livez HTTP/1.1\r\nHost: here\r\n\r\n")
    await answers.readuntil(b"alive")
    begun = time.monotonic()
    server.stop()
    await serving
    took = time.monotonic() - begun
    asks.close()
    return took


async def test_a_server_that_is_stopped_ends_as_soon_as_nothing_is_open():
    # uvicorn's shortest is a pause of 0.1 s; on a busy machine one of ten is as fast as it can be.
    assert min([await ended_after() for _ in range(10)]) < 0.05


async def test_a_server_within_another_program_leaves_its_signals_alone():
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = list(map(signal.getsignal, numbers))
    server, serving = await started(Starlette())
    meanwhile = list(map(signal.getsignal, numbers))
    server.stop()
    await serving
    assert meanwhile == before


async def test_a_server_that_is_stopped_twice_waits_for_no_request():
    begins = asyncio.Event()

    async def takes_long(_):
        begins.set()
        await asyncio.sleep(60)

    server = create_server(
        Starlette(routes=[Route("/long", takes_long)]),
        ("127.0.0.1", 0),
        connections=Ceiling(8, 8),
        head_seconds=5,
        begin_stop=lambda: None,
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    _, asks = await asyncio.open_connection("127.0.0.1", port)
    asks.write(b"GET /long HTTP/1.1\r\nHost: here\r\n\r\n")
    await begins.wait()
    server.stop()
    await asyncio.sleep(0.1)
    assert not serving.done()
    server.stop()
    async with asyncio.timeout(SHUTDOWN_SECONDS / 2):
        await serving
    for task in server.server_state.tasks:
        task.cancel()
    asks.close()


async def test_work_that_ends_ends_the_block_and_the_rest():
    rest_ended = asyncio.Event()

    async def rest():
        try:
            await asyncio.Event().wait()
        finally:
            rest_ended.set()

    async def ends():
        await asyncio.sleep(0)

    with pytest.RaisesGroup(pytest.RaisesExc(WorkEndedError, match="a part ended by itself")):
        async with working({"the rest": rest, "a part": ends}):
            await asyncio.Event().wait()
    assert rest_ended.is_set()


async def test_work_is_cancelled_after_the_block():
    ended = asyncio.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with working({"a part": work}):
        await asyncio.sleep(0)
    assert ended.is_set()


@pytest.mark.parametrize("ends", ["with an error", "without one"])
async def test_work_that_was_cancelled_may_end_as_it_likes(ends, caplog):
    async def work():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if ends == "with an error":
                raise ConnectionError("lost while it was closed") from None

    async with working({"a part": work}):
        await asyncio.sleep(0)
    assert ("a part failed while it was stopped" in caplog.text) == (ends == "with an error")
    assert "ending the process" not in caplog.text
