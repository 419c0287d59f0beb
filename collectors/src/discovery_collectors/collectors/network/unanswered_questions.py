"""What nmap asks in vain when it looks for versions: ports that understand nothing, or wait for TLS."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

from discovery_collectors.collectors.network.nmap_process import Asked, Understood
from discovery_collectors.collectors.network.pending_ports import Batch
from discovery_collectors.running.scope import ScopedAddress

_NOTHING_UNDERSTOOD = frozenset({"GenericLines", "GetRequest", "TLSSessionReq"})
"""What has these questions sent, the last of them a moment ago, knows neither lines, HTTP nor SSL 3."""
_SILENCE_SECONDS = 2.5
"""A question that the next one follows later than this had no answer for its whole wait."""
_LINES = "GenericLines"
_WAITING_SECONDS = 0.6
"""Whoever answers empty lines does so sooner; nmap waits for 1 s."""

type OnPort = Callable[[ScopedAddress, int], None]


class _Questions:
    """What nmap has asked one port without success."""

    def __init__(self) -> None:
        self._probes: set[str] = set()
        self.last = ""
        self._last_at = 0.0

    def show_silence(self, probe: str) -> bool:
        """Return whether the port understood nothing so far, now that nmap sends it `probe`.

        It did not answer a request for a page, or broke off at each of several questions.
        """
        now = time.monotonic()
        waited = self.last == "GetRequest" and now - self._last_at >= _SILENCE_SECONDS
        is_new = probe not in self._probes
        self._probes.add(probe)
        self.last, self._last_at = probe, now
        return waited or (is_new and probe in _NOTHING_UNDERSTOOD <= self._probes)

    def hear(self) -> None:
        """Take in that the last question has an answer."""
        self.last = ""


class UnansweredQuestions:
    """Those of one run of nmap over `batch`.

    `on_silent` gets a port that understood nothing so far; `on_waiting` one that leaves empty lines
    unanswered, as does whoever waits for a TLS handshake; neither gets those of a host that is `spared`.
    """

    def __init__(
        self,
        batch: Batch,
        on_silent: OnPort,
        on_waiting: OnPort,
        spared: Callable[[ScopedAddress], bool] = lambda _: False,
    ) -> None:
        self._batch = batch
        self._spared = spared
        self._on_silent = on_silent
        self._on_waiting = on_waiting
        self._asked: defaultdict[tuple[str, int], _Questions] = defaultdict(_Questions)
        self._waits: list[asyncio.TimerHandle] = []

    def take(self, asked: Asked) -> None:
        """Take in a question that nmap sends."""
        questions = self._asked[asked.address, asked.number]
        if questions.show_silence(asked.probe):
            self._pass_on(asked, self._on_silent)
        if asked.probe == _LINES:
            loop = asyncio.get_running_loop()
            self._waits.append(loop.call_later(_WAITING_SECONDS, self._look, asked, questions))

    def hear(self, understood: Understood) -> None:
        """Take in an answer: whoever gave it waits for no handshake."""
        self._asked[understood.address, understood.number].hear()

    def close(self) -> None:
        """Pass on nothing more: nmap has ended."""
        for wait in self._waits:
            wait.cancel()

    def _look(self, asked: Asked, questions: _Questions) -> None:
        if questions.last == _LINES:
            self._pass_on(asked, self._on_waiting)

    def _pass_on(self, asked: Asked, on_port: OnPort) -> None:
        for address, numbers in self._batch.items():
            # Another run may ask this port on its own turn.
            if address == asked.address and asked.number in numbers and not self._spared(address):
                on_port(address, asked.number)
