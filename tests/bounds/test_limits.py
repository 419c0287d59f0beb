"""Limits and hardening of everything a real session makes, read back from the engine, equal the record.

The wire to the engine is held at each answer, so that no container is too short-lived to be looked at.
"""

import json
import os
from dataclasses import dataclass, field

import pytest
from engine_proxy import Call
from hardening import (
    Json,
    kernel_status,
    label,
    require_bound_process,
    require_hardening,
    require_labels,
    require_limits,
    require_no_storage,
    require_pinned_image,
    require_shut_network,
)
from local_stack import ROOT
from quick_stack import open_quick_stack

from dryrun_cli.errors import ApiRefusedError
from dryrun_local.machine.engine_view import EngineView

pytestmark = pytest.mark.engine

TARGETS = {"web", "app", "db", "docs", "cache"}
COLLECTORS = {"network", "database", "isolation-probe"}
SPARE = {"spare-one", "spare-two", "spare-three"}
"""Collectors that need nobody and could all run at once."""
SPARE_MANIFEST = """
name: {name}
image: discovery/test-collector-database:1.0
summary: Finds nothing.
provides: [certificate]
timeout_seconds: 60
"""
CROWD = """
x-dryrun:
  title: Crowd
  description: One machine more than a session may have.
services:
""" + "".join(f"  machine{number}: {{image: 'discovery/test-nginx:1.26'}}\n" for number in range(21))


@dataclass
class Inspector:
    """Looks at what is made and started while the orchestrator waits for the engine's answer; by id."""

    engine: EngineView
    networks: dict[str, Json] = field(default_factory=dict)
    bodies: dict[str, Json] = field(default_factory=dict)
    """What was asked for."""
    created: dict[str, Json] = field(default_factory=dict)
    started: dict[str, Json] = field(default_factory=dict)
    processes: dict[str, dict[str, str]] = field(default_factory=dict)
    present: dict[str, str] = field(default_factory=dict)
    """The role of each that was not removed yet."""
    most: dict[str, int] = field(default_factory=lambda: {"target": 0, "collector": 0})
    """How many of a role were there at once."""

    async def look(self, call: Call, said: bytes) -> None:
        status = int(said[9:12] or 0)
        section, _, rest = call.path.removeprefix("/").partition("/")
        container, _, action = rest.partition("/")
        match call.method, section, action or rest, status:
            case "POST", "networks", "create", 201:
                identifier = _id_in(said)
                self.networks[identifier] = await self.engine.get(f"/networks/{identifier}")
            case "POST", "containers", "create", 201:
                identifier = _id_in(said)
                self.bodies[identifier] = json.loads(call.body)
                self.created[identifier] = seen = await self.engine.get(f"/containers/{identifier}/json")
                self._count(identifier, label(seen, "role"))
            case "POST", "containers", "start", 204:
                self.started[container] = seen = await self.engine.get(f"/containers/{container}/json")
                self.processes[container] = kernel_status(seen["State"]["Pid"])
            case "DELETE", "containers", _, 204:
                self.present.pop(container, None)

    def _count(self, identifier: str, role: str) -> None:
        self.present[identifier] = role
        self.most[role] = max(self.most[role], list(self.present.values()).count(role))


def _id_in(said: bytes) -> str:
    return json.loads(said.partition(b"\r\n\r\n")[2])["Id"]


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the kernel's word on containers' processes")
async def test_everything_of_a_session_is_bound_as_the_record_says(empty_cluster, engine, tmp_path):
    for manifest in (ROOT / "collectors" / "manifests").glob("*.yml"):
        (tmp_path / manifest.name).write_text(manifest.read_text())
    for name in SPARE:
        (tmp_path / f"{name}.yml").write_text(SPARE_MANIFEST.format(name=name))
    settings = {"ORCHESTRATOR_COLLECTORS_DIR": str(tmp_path), "ORCHESTRATOR_SESSION_SECONDS": "1800"}
    small = (ROOT / "templates" / "small.yml").read_text()
    chosen = "collectors: [network, database"
    assert chosen in small
    templates = {"small": small.replace(chosen, ", ".join([chosen, *SPARE])), "crowd": CROWD}
    inspector = Inspector(engine)
    async with open_quick_stack(empty_cluster, settings, templates) as (stack, proxy):
        proxy.on_answer = inspector.look
        session_id = await stack.start_session("small")
        session = await stack.wait_until_ended(session_id)
        assert session.outcome == "completed", session.reason
        with pytest.raises(ApiRefusedError) as refused:
            await stack.start_session("crowd")
        assert "has 21 services; a template has 1 to 20" in refused.value.problem.faults[0].what

    (network,) = inspector.networks.values()
    require_shut_network(network, str(session_id))
    services = [label(seen, "service") for seen in inspector.created.values()]
    assert sorted(services) == sorted(TARGETS | COLLECTORS | SPARE)
    assert inspector.started.keys() == inspector.created.keys()
    for identifier, seen in inspector.started.items():
        image = await engine.get(f"/images/{label(seen, 'image')}/json")
        require_pinned_image(seen, inspector.bodies[identifier], image)
        require_limits(seen)
        require_hardening(seen)
        require_no_storage(seen)
        require_labels(seen, network)
        require_bound_process(inspector.processes[identifier], seen)
    assert inspector.most == {"target": len(TARGETS), "collector": 2}
    assert inspector.present == {}
