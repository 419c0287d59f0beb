"""The guard runs on uvloop, whose TLS is code of its own; asyncio's is beside it for comparison."""

import asyncio

import uvloop


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
