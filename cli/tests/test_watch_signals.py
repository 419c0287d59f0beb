"""Signals while a session is watched: what ends the watching, and that none ends the process instead."""

import asyncio
import io
import os
import signal
from uuid import uuid4

import pytest
from rich.console import Console

from dryrun_cli.live import watch
from dryrun_cli.live.screens import Manner

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Client:
    """An API that takes each request to stop."""

    async def stop_session(self, _):
        return {}


async def watched(monkeypatch, *numbers, pause=0.05):
    """Return the outcome of a watching during which these signals arrive, one after the other."""

    async def follow_events(*_):
        for number in numbers:
            os.kill(os.getpid(), number)
            if pause:
                await asyncio.sleep(pause)
        await asyncio.sleep(20)
        yield

    monkeypatch.setattr(watch, "follow_events", follow_events)
    return await watch.watch_session(Client(), uuid4(), Console(file=io.StringIO()), manner=Manner.PLAIN)


@pytest.mark.parametrize(
    ("numbers", "interrupted", "left_by"),
    [
        ((signal.SIGINT, signal.SIGINT), True, signal.SIGINT),
        ((signal.SIGINT, signal.SIGTERM), True, signal.SIGTERM),
        ((signal.SIGHUP,), False, signal.SIGHUP),
    ],
)
async def test_the_signal_that_ends_the_watching_is_told(monkeypatch, numbers, interrupted, left_by):
    outcome = await watched(monkeypatch, *numbers)
    assert (outcome.interrupted, outcome.left_by) == (interrupted, left_by)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGHUP])
async def test_of_two_signals_at_once_the_first_is_told(monkeypatch, second):
    outcome = await watched(monkeypatch, signal.SIGTERM, second, pause=0)
    assert (outcome.interrupted, outcome.left_by) == (False, signal.SIGTERM)


async def test_no_signal_has_its_default_back_while_the_watching_ends(monkeypatch):
    """It would end the process there, and nothing would be cleaned up."""
    handlers, set_handler = [], signal.signal
    before = {number: set_handler(number, lambda *_: None) for number in NUMBERS}

    def noted(number, handler):
        handlers.append(handler)
        return set_handler(number, handler)

    monkeypatch.setattr(signal, "signal", noted)
    try:
        await watched(monkeypatch, signal.SIGTERM)
    finally:
        for number, handler in before.items():
            set_handler(number, handler)
    assert len(handlers) == 2 * len(NUMBERS)
    assert not {signal.SIG_DFL, signal.default_int_handler} & set(handlers)
