"""A session through the published port: it ends with a report, and its containers reach no service."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from deployment import Deployment, Json, addresses, needs_root, reach_from, run
from pydantic import SecretStr
from test_reach import PORTS, SHUT, host_addresses

from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.reading import read_session
from dryrun_cli.api.settings import Settings
from dryrun_contract.session import SessionRequest, SessionView

pytestmark = [pytest.mark.deploy, needs_root]


@pytest.fixture
async def client(deployment: Deployment) -> AsyncIterator[ApiClient]:
    """The published port, with the token that deploy/prepare made."""
    _, _, token = (deployment.state / "secrets" / "api_tokens").read_text().strip().partition(":")
    async with open_client(Settings(api_url=deployment.url, api_token=SecretStr(token))) as opened:
        yield opened


async def until(client: ApiClient, session_id: UUID, phase: str, seconds: float = 150) -> SessionView:
    deadline = time.monotonic() + seconds
    while (session := read_session(await client.session(session_id))).phase != phase:
        assert session.phase != "ended", f"{session.outcome}: {session.reason}"
        assert time.monotonic() < deadline, f"still {session.phase} after {seconds} s"
        await asyncio.sleep(0.5)
    return session


def labelled(kind: str, session_id: UUID) -> list[str]:
    label = f"label=discovery.dryrun.session_id={session_id}"
    every = ["--all"] if kind == "container" else []
    return run("docker", kind, "ls", *every, "--quiet", "--filter", label).split()


def rules_of(target: Json, *arguments: str) -> str:
    """Run iptables in a container's network."""
    return run("nsenter", f"--net=/proc/{target['State']['Pid']}/ns/net", "iptables", "--wait", *arguments)


def received(target: Json) -> int:
    """Return how many IPv4 packets have come to a container. Frames come from the bridge at any time."""
    return int(rules_of(target, "-nvxL", "INPUT").splitlines()[2].split()[0])


async def test_a_session_is_scanned_reported_and_removed_and_reaches_no_service(
    client: ApiClient, containers: dict[str, Json]
):
    session_id = read_session(await client.start_session(SessionRequest(template="small", keep=True))).id
    try:
        await until(client, session_id, "kept")
        targets = [
            json.loads(run("docker", "inspect", each))[0] for each in labelled("container", session_id)
        ]
        assert len(targets) == 5
        services = [(address, PORTS[name]) for name in PORTS for address in addresses(containers[name])]
        wanted = [*services, *((address, 22) for address in host_addresses())]
        for target in targets:
            assert set(reach_from(target, wanted)) <= SHUT
        # Nor does a service reach into a session, the orchestrator least of all.
        inside = [
            (address, port) for target in targets for address in addresses(target) for port in (80, 5432)
        ]
        for target in targets:
            rules_of(target, "-A", "INPUT", "-i", "eth0")
        for name in PORTS:
            answers = set(reach_from(containers[name], inside))
            # That one has a way out of the host, where other networks may answer for any address.
            assert answers <= SHUT or name == "approval-delivery"
        assert [received(target) for target in targets] == [0] * len(targets)
    finally:
        # With the deployment nobody is left who would remove it.
        await client.stop_session(session_id)
        ended = await until(client, session_id, "ended")
    assert ended.outcome == "stopped"
    assert labelled("container", session_id) == labelled("network", session_id) == []
    report = await client.report(session_id)
    assert report["scores"]["overall"]["recall"] > 0.9
