"""Runs an application under uvicorn, which bounds no connections and would outlive its application."""

import asyncio
import gc
import logging
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import cast, override

import uvicorn
from starlette.types import ASGIApp

from dryrun_serving.ceiling import Ceiling
from dryrun_serving.connections import Connections
from dryrun_serving.ending import hear_signals, last_of_process
from dryrun_serving.lifespan import Lifespan
from dryrun_serving.networks import Proxies

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 5
"""Longest that open requests may take once the server was asked to stop."""
END_SECONDS = 12.0
"""Longest that a process takes to end after its application failed: whoever stops one kills it when it is
late, and nobody does so with one that ends by itself."""
_OTHER_FILES = 256
"""File descriptors beside those of connections: databases, other services, the program itself."""
_TICKS_PER_SECOND = 10
"""How often uvicorn calls `on_tick`."""
_LOOK_SECONDS = 0.01
"""Between looks whether what is open has ended."""


class Server(uvicorn.Server):
    """Lets the application end its streams and long polls before uvicorn waits for connections to close."""

    def __init__(
        self, config: uvicorn.Config, connections: Connections, begin_stop: Callable[[], None]
    ) -> None:
        """Serve as `config` says; `begin_stop` is called once or more when the server is asked to stop."""
        super().__init__(config)
        self._connections = connections
        self._begin_stop = begin_stop
        self._is_asked = asyncio.Event()
        self._failed = False
        self._owns_process = False
        self.give_up_start: Callable[[], None] = lambda: None

    @override
    async def main_loop(self) -> None:
        """Tick until the end. One that is asked for begins at once; uvicorn would wait for the next tick."""
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % (24 * 60 * 60 * _TICKS_PER_SECOND)
            with suppress(TimeoutError):
                async with asyncio.timeout(1 / _TICKS_PER_SECOND):
                    await self._is_asked.wait()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody any more, let open requests finish, then end the application.

        As uvicorn does, which pauses for a tenth of a second before and while it waits.
        """
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                await self._until_finished()
        except TimeoutError:
            logger.warning("ended %d open requests, which took too long", len(self.server_state.tasks))
            for task in self.server_state.tasks:
                task.cancel()
        if not self.force_exit:
            await self.lifespan.shutdown()

    async def _until_finished(self) -> None:
        state = self.server_state
        while (state.connections or state.tasks) and not self.force_exit:  # noqa: ASYNC110  # plain sets
            await asyncio.sleep(_LOOK_SECONDS)
        if not self.force_exit:  # else it would wait for what is open all the same
            for listening in self.servers:
                await listening.wait_closed()

    @override
    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second, and once a second end what is late."""
        if counter % _TICKS_PER_SECOND == 0:
            self._connections.sweep()
        return await super().on_tick(counter)

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, and then end with exit code 0; uvicorn would die of the signal.

        A server within another program leaves that program's signals alone.
        """
        if self._owns_process:
            hear_signals(self.stop)
        yield

    def stop(self) -> None:
        """Finish open requests, then end; asked twice, do not wait for them."""
        self._begin_stop()
        self.force_exit = self.should_exit
        self.should_exit = True
        self._is_asked.set()
        if not self.started:
            self.give_up_start()

    def fail(self) -> None:
        """Stop, since the application's lifespan ends by itself: what requests need is being closed."""
        if self.should_exit:
            return  # it was asked to
        self._failed = True
        if self.started:
            logger.critical("the service failed; ending the process, to be started again")
        self._begin_stop()
        self.should_exit = True
        if self._owns_process:
            # A thread, since what hangs may be the loop.
            late = threading.Timer(END_SECONDS, os._exit, (1,))
            late.daemon = True
            late.start()

    def run_to_its_end(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 when the service failed.

        Raises SystemExit when the start failed; one that was asked to end has not.
        """
        _allow_files(self._connections.most + _OTHER_FILES)
        self._owns_process = True
        # What was imported and composed stays: no look for garbage is needed there. The start may go without.
        gc.freeze()
        gc.enable()
        try:
            with last_of_process():
                self.run()
        except SystemExit:  # uvicorn's end of a start that did not succeed
            if not self._is_asked.is_set():
                raise
            return 0
        return 0 if self.started and not self._failed else 1


def create_server(
    app: ASGIApp,
    address: tuple[str, int],
    *,
    connections: Ceiling,
    head_seconds: float,
    begin_stop: Callable[[], None],
    trusted_proxies: str = "",
) -> Server:
    """Return a server for `app` at a host and port; port 0 takes a free one.

    A head has `head_seconds` to arrive. `X-Forwarded-For` and `-Proto` are believed from `trusted_proxies`
    only, comma separated: addresses count for limits.
    """
    host, port = address
    bounded = Connections(connections, head_seconds, Proxies(trusted_proxies))
    lifespan = Lifespan(app)
    config = uvicorn.Config(
        lifespan,
        host=host,
        port=port,
        # uvicorn only calls it.
        http=cast("type[asyncio.Protocol]", bounded.protocol),
        ws="none",
        # uvicorn takes uvloop where it is installed: beside a guard, in tests, but not in a deployment.
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = Server(config, bounded, begin_stop)
    lifespan.failed = server.fail
    server.give_up_start = lifespan.give_up_start
    return server


def _allow_files(wanted: int) -> None:
    """Raise the soft limit of open files to `wanted`, as far as the hard one goes.

    A process that has none left stops to accept anybody for a second.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
