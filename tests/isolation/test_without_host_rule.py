"""Without the host rule no session starts: each session checks it and names what is missing.

Taking the rule away would open every session of this machine to its host while a test runs. So here each
network gets a bridge that the rule does not cover: to what is inside of it, the rule is not there.
"""

import contextlib
import json
from collections.abc import Iterator

import pytest
from engine_proxy import Call, EngineProxy
from isolation_state import FIX, isolation_check
from quick_stack import open_quick_stack

pytestmark = pytest.mark.engine


class Uncovering:
    """Changes the name of each bridge that is asked for, and notes what was started."""

    def __init__(self) -> None:
        self.bridges: list[str] = []
        self.services: dict[str, str] = {}
        self.started: list[str] = []

    def rename(self, call: Call) -> str:
        if call.path != "/networks/create":
            return call.body
        bridge = json.loads(call.body)["Options"]["com.docker.network.bridge.name"]
        assert bridge.startswith("dr-")
        self.bridges.append(other := bridge.replace("dr-", "dx-"))
        return call.body.replace(bridge, other)

    async def note(self, call: Call, said: bytes) -> None:
        if call.path == "/containers/create" and said.startswith(b"HTTP/1.1 201"):
            container = json.loads(said.partition(b"\r\n\r\n")[2])["Id"]
            self.services[container] = json.loads(call.body)["Labels"]["discovery.dryrun.service"]
        elif call.path.endswith("/start") and said.startswith(b"HTTP/1.1 204"):
            self.started.append(self.services[call.path.split("/")[2]])


@contextlib.contextmanager
def uncovered(proxy: EngineProxy) -> Iterator[Uncovering]:
    uncovering = Uncovering()
    proxy.rewrite, proxy.on_answer = uncovering.rename, uncovering.note
    try:
        yield uncovering
    finally:
        proxy.rewrite = proxy.on_answer = None


async def test_sessions_are_refused_while_their_networks_are_not_shut_off(empty_cluster):
    async with open_quick_stack(empty_cluster, {"ORCHESTRATOR_REAPER_SECONDS": "1"}) as (stack, proxy):
        with uncovered(proxy) as uncovering:
            session_id = await stack.start_session("quick")
            session = await stack.wait_until_ended(session_id)
            reason = session.reason or ""
            assert session.outcome == "failed"
            assert reason.startswith("the network is not isolated from the host: the host answers")
            assert FIX in reason
            # One that is undecided, as on a busy machine, is followed by another; nothing else ever starts.
            assert set(uncovering.started) == {"isolation-probe"}
            assert await stack.things_of(session_id) == []

            # An orchestrator that starts finds out before anybody asks for a session.
            await stack.orchestrator.stop()
            await stack.orchestrator.start(ready=False)
            said = await isolation_check(stack, wanted="no: the host answers")
            assert FIX in said
            assert len(uncovering.bridges) > 1

        assert "carries the host rule" in await isolation_check(stack, wanted="ok")
        session_id = await stack.start_session("quick")
        await stack.wait_for_phase(session_id, "scanning")
