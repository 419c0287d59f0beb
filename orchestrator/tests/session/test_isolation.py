import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from engine_in_memory.engine import FakeImage
from stage import DB, NETWORK, PROBE, WEB, verdict

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.engine.errors import ForbiddenError
from dryrun_orchestrator.hosts.host_check import HostCheck
from dryrun_orchestrator.session import isolation
from dryrun_orchestrator.session.container_specs import session_labels


@pytest.fixture(autouse=True)
def short_pause(monkeypatch):
    monkeypatch.setattr(isolation, "CARRIER_SECONDS", 0.2)


def probes(stage, session_id):
    """How many probes of the session were started."""
    removed = stage.engine._machine.removed
    return len([c for c in removed if c.spec.image_id == PROBE and str(session_id) in c.spec.labels.values()])


def test_a_refused_session_is_told_which_record_says_why():
    (named,) = re.findall(r"docs/\S+", isolation.FIX)
    assert (Path(isolation.__file__).parents[4] / named).is_file()


async def test_an_undecided_probe_is_repeated(stage):
    async with stage.running():
        await stage.eventually(lambda: stage.isolation.last)
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=None), exit_after=0.01, exit_code=2)
        session_id = await stage.start()
        await stage.eventually(lambda: probes(stage, session_id))
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=True), exit_after=0.01)
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        assert [event.isolated for event in await stage.events_of(session_id, "isolation_probed")] == [True]


@pytest.mark.parametrize(
    ("isolated", "exit_code", "times", "says"),
    [
        (None, 2, isolation.PROBES, "the network is not known to be isolated from the host"),
        (False, 1, 1, "the network is not isolated from the host"),
    ],
)
async def test_what_stays_unproven_or_is_disproven_starts_nothing(stage, isolated, exit_code, times, says):
    stage.engine.images[PROBE] = FakeImage(
        log=verdict(isolated=isolated), exit_after=0.01, exit_code=exit_code
    )
    async with stage.running():
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert (session.outcome, says in session.reason) == (Outcome.FAILED, True)
        assert probes(stage, session_id) == times


@pytest.mark.parametrize("exit_code", [3, 139])
async def test_targets_wait_for_the_probes_own_end_not_only_for_its_verdict(stage, exit_code):
    broken = verdict(isolated=True, exit_code=exit_code)
    async with stage.running():
        await stage.eventually(lambda: stage.isolation.last)
        stage.engine.images[PROBE] = FakeImage(log=broken, exit_after=0.01, exit_code=exit_code)
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert "the network is not known to be isolated" in session.reason
        assert f"broke off after its verdict (exit code {exit_code})" in session.reason
        assert started_targets(stage, session_id) == []


async def test_a_probe_that_ended_otherwise_than_it_reported_ends_the_session(stage):
    async with stage.running():
        await stage.eventually(lambda: all_probes(stage))
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=True), exit_after=0.01, exit_code=1)
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert session.reason.startswith("the network is not known to be isolated")
        assert "reported success and ended with exit code 1" in session.reason
        assert [e.isolated for e in await stage.events_of(session_id, "isolation_probed")] == [True, False]
        await stage.eventually(lambda: not stage.isolation.last.isolated)
        assert stage.left(session_id) == []


async def test_a_probe_that_began_before_the_engine_broke_off_renews_no_trust(stage):
    async with stage.running():
        await stage.eventually(lambda: stage.isolation.is_recent and not stage.isolation.checking)
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=True), exit_after=0.3, log_pause=0.3)
        check = asyncio.create_task(stage.isolation.check_host())
        await stage.eventually(
            lambda: [c for c in stage.engine.containers.values() if c.spec.image_id == PROBE]
        )
        stage.isolation.doubt()
        assert (await check).isolated
        assert not stage.isolation.is_recent
        assert (await stage.isolation.check_host()).isolated
        assert stage.isolation.is_recent


async def test_when_a_probe_started_is_known_of_the_hosts_newest_check_and_of_no_session(stage):
    async with stage.running():
        known = await stage.eventually(lambda: stage.isolation.probe_started_at)
        assert (await stage.ended(await stage.start())).outcome is Outcome.COMPLETED
        assert stage.isolation.probe_started_at == known
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=False), exit_after=0.01, exit_code=1)
        assert not (await stage.isolation.check_host()).isolated
        assert stage.isolation.probe_started_at is None


async def test_a_refuted_probe_stays_to_be_found_again_until_the_session_is_removed(stage):
    async with stage.running():
        await stage.eventually(lambda: all_probes(stage))
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=True), exit_after=0.01, exit_code=1)
        session_id = uuid4()
        common = session_labels(session_id, uuid4(), "two", datetime.now(UTC) + timedelta(minutes=5))
        subnet = await stage.isolation._make_network(session_id, common)
        assert (await stage.isolation.probe(session_id, subnet, common)).isolated
        for _ in range(2):
            refuted = await stage.isolation.put_away(session_id)
            assert refuted is not None
            assert not refuted.isolated


@pytest.mark.parametrize("call", ["create_network", "start_container", "remove_container", "list_networks"])
async def test_a_check_that_is_cancelled_at_any_call_leaves_nothing(stage, call):
    async with stage.running():
        await stage.eventually(lambda: stage.isolation.last and not stage.engine.networks)
        stage.engine.faults.delay(call, 0.2)
        before = len(stage.engine.calls_of(call))
        check = asyncio.create_task(stage.isolation.check_host())
        await stage.eventually(lambda: len(stage.engine.calls_of(call)) > before)
        check.cancel()
        await asyncio.gather(check, return_exceptions=True)
        assert check.cancelled()
        assert (stage.engine.networks, stage.engine.containers) == ({}, {}), "without the reaper"


async def test_a_check_ends_when_it_is_cancelled_also_while_the_engine_is_down(stage):
    async with stage.running():
        await stage.eventually(lambda: stage.isolation.last and not stage.engine.networks)
        stage.engine.faults.delay("create_network", 0.2)
        (host,) = stage.supervisor._hosts.all
        check = HostCheck(host, stage.settings, lambda: True, lambda _: None)
        before = len(stage.engine.calls_of("create_network"))
        checking = asyncio.create_task(check._check())
        await stage.eventually(lambda: len(stage.engine.calls_of("create_network")) > before)
        stage.engine.go_down()
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
        stage.engine.come_up()
        assert checking.cancelled(), "a check that goes on keeps its process from ending"


async def test_targets_start_while_the_probes_container_still_ends_and_it_is_gone_before_the_scan(stage):
    async with stage.running():
        await stage.eventually(lambda: all_probes(stage))
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=True), exit_after=0.5)
        session_id = await stage.start()
        await stage.eventually(lambda: started_targets(stage, session_id))
        assert probes(stage, session_id) == 0
        await stage.until(session_id, Phase.SCANNING)
        assert probes(stage, session_id) == 1


def started_targets(stage, session_id):
    """Targets of the session that were ever started, removed ones included."""
    ever = [*stage.engine.containers.values(), *stage.engine._machine.removed]
    return [
        c.spec.labels["discovery.dryrun.service"]
        for c in ever
        if str(session_id) in c.spec.labels.values()
        and c.spec.labels["discovery.dryrun.role"] == "target"
        and c.started_at is not None
    ]


SILENT = FakeImage(log=verdict(isolated=True), exit_after=0.01)
ANSWERS = FakeImage(log=verdict(isolated=False, reason="the host answers: ARP"), exit_after=0.01, exit_code=1)
MUTE = FakeImage(log=verdict(isolated=None), exit_after=0.01, exit_code=2)


def all_probes(stage):
    return len([c for c in stage.engine._machine.removed if c.spec.image_id == PROBE])


async def live(stage, phase):
    """Start a session that stays in this phase for as long as nobody ends it."""
    stage.changes |= {"isolation_seconds": 0.2, "waiting_seconds": 60}
    if phase is Phase.WAITING:
        stage.engine.images[WEB] = FakeImage(health_after=60)
    if phase is Phase.SCANNING:
        stage.engine.images[NETWORK] = FakeImage(exit_after=60)
    session_id = await stage.start(keep=phase is Phase.KEPT)
    await stage.until(session_id, phase)
    return session_id


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.SCANNING, Phase.KEPT])
async def test_a_session_ends_when_the_host_answers_while_it_lives(stage, phase):
    stage.changes["isolation_seconds"] = 0.2
    async with stage.running() as supervisor:
        session_id = await live(stage, phase)
        stage.engine.images[PROBE] = ANSWERS
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert session.reason.startswith(
            "the network is no longer isolated from the host: the host answers: ARP"
        )
        assert [e.isolated for e in await stage.events_of(session_id, "isolation_probed")] == [True, False]
        assert stage.left(session_id) == []
        assert stage.isolation.last is not None
        assert not stage.isolation.last.isolated
        # The next one is judged by what is so by then.
        stage.engine.images[PROBE] = SILENT
        await stage.until(await stage.start(), Phase.WAITING, Phase.SCANNING)
        assert supervisor.fault is None


async def test_a_session_goes_on_while_isolation_is_proved_again(stage):
    stage.changes["isolation_seconds"] = 0.2
    async with stage.running():
        session_id = await live(stage, Phase.KEPT)
        before = all_probes(stage)
        await stage.eventually(lambda: all_probes(stage) > before + 3)
        assert (await stage.supervisor.show(session_id)).phase is Phase.KEPT
        # One event for the proof at its start: what goes well is not reported again.
        assert [e.isolated for e in await stage.events_of(session_id, "isolation_probed")] == [True]


async def test_one_undecided_check_ends_nothing_and_a_second_one_does(stage, monkeypatch):
    monkeypatch.setattr(isolation, "CARRIER_SECONDS", 0.01)
    stage.changes["isolation_seconds"] = 0.2
    async with stage.running():
        session_id = await live(stage, Phase.KEPT)
        stage.engine.images[PROBE] = MUTE
        await stage.eventually(lambda: not stage.isolation.last.isolated)
        stage.engine.images[PROBE] = SILENT
        await stage.eventually(lambda: stage.isolation.last.isolated)
        assert (await stage.supervisor.show(session_id)).phase is Phase.KEPT
        stage.engine.images[PROBE] = MUTE
        session = await stage.ended(session_id)
        assert session.reason.startswith("the network is no longer known to be isolated from the host")


async def test_a_session_ends_when_isolation_cannot_be_proved_for_long(stage, monkeypatch):
    stage.changes["isolation_seconds"] = 0.2
    async with stage.running() as supervisor:
        session_id = await live(stage, Phase.KEPT)
        stage.engine.faults.fail("create_network", ForbiddenError("no more networks"), times=None)
        await stage.eventually(lambda: supervisor.fault)
        assert (await supervisor.show(session_id)).phase is Phase.KEPT
        monkeypatch.setattr(isolation, "PROOF_SECONDS", 0.5)
        session = await stage.ended(session_id)
        assert session.reason.startswith("the network is no longer known to be isolated from the host")


async def test_nothing_is_probed_while_no_session_runs(stage):
    stage.changes["isolation_seconds"] = 0.2
    async with stage.running():
        await stage.eventually(lambda: all_probes(stage))
        before = all_probes(stage)
        await asyncio.sleep(1)
        assert all_probes(stage) == before


async def test_the_probe_is_removed_once_no_target_waits_to_be_started(stage):
    async with stage.running():
        await stage.eventually(lambda: all_probes(stage))
        session_id = await stage.start()
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        (probe,) = [
            container
            for container in stage.engine._machine.removed
            if container.spec.image_id == PROBE and str(session_id) in container.spec.labels.values()
        ]
        of_targets = {
            container.id
            for container in stage.engine._machine.removed
            if container.spec.image_id in {WEB, DB} and str(session_id) in container.spec.labels.values()
        }
        order = [
            (call.name, call.about)
            for call in stage.engine.calls
            if (call.name == "start_container" and call.about in of_targets)
            or (call.name == "remove_container" and call.about == probe.id)
        ]
        assert [name for name, _ in order] == ["start_container", "start_container", "remove_container"]


async def test_a_refuted_probe_ends_a_session_whose_targets_wait_for_each_other(stage):
    async with stage.running():
        await stage.eventually(lambda: all_probes(stage))
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=True), exit_after=0.01, exit_code=1)
        stage.engine.images[DB] = FakeImage(health_after=60)
        session_id = await stage.start()
        async with asyncio.timeout(2):
            session = await stage.ended(session_id)
        assert session.reason.startswith("the network is not known to be isolated")
