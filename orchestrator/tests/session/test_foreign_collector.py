"""A collector of somebody else's: called as the operator says, read as nmap writes, passed to no other."""

import json

import pytest
from engine_in_memory.engine import FakeEngine, FakeImage
from nmap_sample import SCAN
from stage import ALLOWLIST, DATABASE, TEMPLATE, Stage, image_id, images

from dryrun_contract.session import Outcome
from dryrun_orchestrator.engine.protocol import LogChunk

THEIRS = image_id(77)
ARGUMENTS = ["-sV", "-oX", "-", "--exclude", "{exclude}", "{cidr}"]
MANIFEST = """
name: theirs
image: discovery/test-collector-theirs:1
summary: A scanner of somebody else's.
provides: [host, service]
timeout_seconds: 30
arguments: ["-sV", "-oX", "-", "--exclude", "{exclude}", "{cidr}"]
capabilities: []
output: nmap-xml
purpose: comparison
"""


@pytest.fixture
async def foreign(tmp_path):
    image = FakeImage(log=[LogChunk("stdout", SCAN[:600]), LogChunk("stdout", SCAN[600:])], exit_after=0.02)
    stage = Stage(tmp_path, FakeEngine(images(**{THEIRS: image})))
    row = {"id": THEIRS, "capabilities": ["NET_RAW"], "arguments": [ARGUMENTS]}
    allowlist = {"version": 1, "images": ALLOWLIST["images"] | {"discovery/test-collector-theirs:1": row}}
    (tmp_path / "allowlist.json").write_text(json.dumps(allowlist))
    (tmp_path / "collectors" / "theirs.yml").write_text(MANIFEST)
    async with stage.engine:
        yield stage


async def test_it_runs_only_where_a_template_names_it(foreign):
    async with foreign.running():
        session_id = await foreign.start()
        assert (await foreign.ended(session_id)).outcome is Outcome.COMPLETED
        events = await foreign.events(session_id)
    assert {e.collector for e in events if e.type == "collector_ended"} == {"network", "database"}


async def test_it_is_called_with_this_sessions_addresses_and_hands_nothing_on(foreign):
    named = TEMPLATE.replace("  title: Two", "  collectors: [network, database, theirs]\n  title: Two")
    (foreign.folder / "templates" / "two.yml").write_text(named)
    specs = []
    create = foreign.engine.create_container

    async def noting(spec):
        specs.append(spec)
        return await create(spec)

    foreign.engine.create_container = noting
    async with foreign.running():
        session_id = await foreign.start()
        assert (await foreign.ended(session_id)).outcome is Outcome.COMPLETED
        events = await foreign.events(session_id)
    (network,) = [e for e in events if e.type == "network_created"]
    (theirs,) = [spec for spec in specs if spec.image_id == THEIRS]
    (database,) = [spec for spec in specs if spec.image_id == DATABASE]
    assert theirs.arguments[:4] == ("-sV", "-oX", "-", "--exclude")
    assert theirs.address in theirs.arguments[4].split(",")
    assert theirs.arguments[5] == network.subnet
    assert (theirs.environment, theirs.capabilities) == ({}, ())
    reported = [e for e in events if e.type == "discovery_reported" and e.collector == "theirs"]
    # Line 1 is nmap's progress.
    assert [(e.line, e.discovery.key) for e in reported] == [
        (2, "10.213.0.2"),
        (3, "10.213.0.2:443/tcp"),
        (4, "10.213.0.2:5432/tcp"),
    ]
    (ended,) = [e for e in events if e.type == "collector_ended" and e.collector == "theirs"]
    assert (ended.complete, ended.discoveries, ended.lines) == (True, 3, 5)
    assert "443" not in database.environment["DISCOVERY_CONFIG"]
    digests = {e.collector: e.config_digest for e in events if e.type == "collector_started"}
    assert digests["theirs"] not in {digests["network"], digests["database"]}
    provided = {e.collector: e.provides for e in events if e.type == "collector_started"}
    assert provided["network"] == ("host", "service")
    purposes = {e.collector: e.purpose for e in events if e.type == "collector_started"}
    assert purposes == {"network": "discovery", "database": "discovery", "theirs": "comparison"}
