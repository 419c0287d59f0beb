"""A whole system on a template of two targets, with the test's own hand on the wire to the engine."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

from engine_proxy import EngineProxy, open_engine_proxy
from event_ledger import journal_rows
from local_stack import Stack, open_stack

QUICK = """
x-dryrun:
  title: Two machines
  description: A web server and a cache whose password nobody knows.
  collectors: [network, database]
  credentials:
    - {engine: redis, password: not-this-one}
services:
  web:
    image: discovery/test-nginx:1.26
    x-ground-truth:
      - {kind: host, key: ""}
      - {kind: service, key: ":80/tcp", data: {product: nginx, version: {fact: version}}}
  cache:
    image: discovery/test-redis:8.0
    x-ground-truth:
      - {kind: host, key: ""}
      - {kind: service, key: ":6379/tcp", data: {product: [Redis, Redis key-value store]}}
"""
FOUND = {
    ("network", "host", "web"),
    ("network", "host", "cache"),
    ("network", "service", "web:80/tcp"),
    ("network", "service", "web:443/tcp"),
    ("network", "certificate", "web:443/tcp"),
    ("network", "service", "cache:6379/tcp"),
    ("database", "service", "cache:6379/tcp"),
}
"""What both collectors find there, whatever happens meanwhile."""


@asynccontextmanager
async def open_quick_stack(
    cluster: Path, settings: Mapping[str, str], templates: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Stack, EngineProxy]]:
    """Run a stack whose only templates are `quick` and the given ones, by id."""
    async with AsyncExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="dt-")))
        folder = state / "templates"
        folder.mkdir()
        for name, content in {"quick": QUICK, **(templates or {})}.items():
            (folder / f"{name}.yml").write_text(content, encoding="utf-8")
        proxy = await exits.enter_async_context(open_engine_proxy(state / "engine.sock"))
        own = {"ORCHESTRATOR_TEMPLATES_DIR": str(folder), "DOCKER_HOST": proxy.docker_host}
        stack = await exits.enter_async_context(open_stack(state, cluster, own | dict(settings)))
        yield stack, proxy


def found_in(stack: Stack, session_id: UUID) -> set[tuple[str, str, str]]:
    """Return what was discovered: collector, kind, key with the service in the place of its address."""
    of_session = [row for row in journal_rows(stack) if row[1] == str(session_id)]
    (names,) = (data["addresses"] for _, _, kind, data in of_session if kind == "addresses_mapped")
    found = set()
    for _, _, kind, data in of_session:
        if kind == "discovery_reported":
            reported = data["discovery"]
            address, separator, rest = reported["key"].partition(":")
            found.add((data["collector"], reported["kind"], names.get(address, address) + separator + rest))
    return found
