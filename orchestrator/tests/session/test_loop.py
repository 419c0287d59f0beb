import asyncio
import json
import random
import shutil

import pytest
from engine_in_memory.engine import FakeEngine, FakeImage, stdout
from stage import ALLOWLIST, DATABASE, DB, NETWORK, PROBE, TEMPLATE, WEB, Stage, images, verdict

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.protocol import LogChunk
from dryrun_orchestrator.session import isolation, waiting


async def test_a_session_goes_through_its_phases_and_leaves_nothing(stage):
    async with stage.running():
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        phases = [event.phase for event in await stage.events_of(session_id, "phase_changed")]
        assert phases == ["provisioning", "waiting", "scanning", "cleaning_up", "ended"]
        found = await stage.events_of(session_id, "discovery_reported")
        assert [event.line for event in found] == [2, 3, 4]
        ended = await stage.events_of(session_id, "collector_ended")
        assert [(event.collector, event.complete) for event in ended] == [
            ("network", True),
            ("database", True),
        ]
        assert not stage.left(session_id)
        last = (await stage.events(session_id))[-1]
        assert last.type == "session_ended"


async def test_the_next_collector_begins_while_the_container_before_it_is_still_being_removed(
    stage, monkeypatch
):
    remove = stage.engine.remove_container
    gate = asyncio.Event()
    at_once = []

    async def remove_slowly(container_id):
        if container_id in {collector.id for collector in stage.of_image(NETWORK)}:
            await gate.wait()
        await remove(container_id)

    monkeypatch.setattr(stage.engine, "remove_container", remove_slowly)
    async with stage.running():
        session_id = await stage.start()
        async with asyncio.timeout(10):
            while len(await stage.events_of(session_id, "collector_started")) < 2:
                await asyncio.sleep(0.01)
        at_once.append(len(stage.of_image(NETWORK)))
        network, *_ = await stage.events_of(session_id, "collector_ended")
        assert network.collector == "network"
        gate.set()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        assert not stage.left(session_id)
    assert at_once == [1]


async def test_the_course_of_bringing_up_is_reported_once_with_every_step(stage):
    async with stage.running():
        session_id = await stage.start()
        await stage.ended(session_id)
        (traced,) = await stage.events_of(session_id, "bring_up_traced")
    steps = [(span.step, span.service) for span in traced.spans]
    of_session = {"queue", "checks", "network", "probe_start", "probe", "probe_removal"}
    assert {step for step, service in steps if service is None} == of_session
    assert sorted(each for each in steps if each[1]) == [
        (step, service) for step in ("create", "health", "start") for service in ("db", "web")
    ]
    begin = {each: span.begin for each, span in zip(steps, traced.spans, strict=True)}
    proved = next(span.begin + span.seconds for span in traced.spans if span.step == "probe")
    assert min(begin["start", "db"], begin["start", "web"]) >= proved - 0.001


async def test_what_took_longest_to_be_ready_is_started_first_the_next_time(stage):
    (stage.folder / "templates" / "two.yml").write_text(
        TEMPLATE.replace("    depends_on", "    # depends_on")
    )
    stage.engine.images[WEB] = FakeImage(health_after=0.01)
    stage.engine.images[DB] = FakeImage(health_after=0.3)
    async with stage.running():
        orders = []
        for _ in range(2):
            session_id = await stage.start()
            await stage.ended(session_id)
            (traced,) = await stage.events_of(session_id, "bring_up_traced")
            orders.append([span.service for span in traced.spans if span.step == "start"])
    assert orders == [["web", "db"], ["db", "web"]]


async def test_a_target_starts_after_what_it_depends_on_is_healthy(stage):
    async with stage.running():
        session_id = await stage.start()
        await stage.ended(session_id)
        changes = await stage.events_of(session_id, "target_changed")
        states = [(event.service, event.state) for event in changes]
        assert states.index(("db", "healthy")) < states.index(("web", "starting"))


async def test_a_target_waits_for_its_own_dependencies_and_for_no_others(stage):
    independent = TEMPLATE.replace("    depends_on", "    # depends_on")
    after_db = "    depends_on: {db: {condition: service_healthy}}\n"
    (stage.folder / "templates" / "two.yml").write_text(
        f"{independent}  third:\n    image: discovery/test-db:1\n{after_db}"
    )
    stage.engine.images[WEB] = FakeImage(health_after=60)
    stage.changes["waiting_seconds"] = 60
    async with stage.running():
        session_id = await stage.start()

        async def healthy():
            changes = await stage.events_of(session_id, "target_changed")
            return {event.service for event in changes if event.state == "healthy"}

        async with asyncio.timeout(10):
            while await healthy() != {"db", "third"}:
                await asyncio.sleep(0.01)
        stage.of_image(WEB)[0].become("healthy")
        await stage.until(session_id, Phase.SCANNING)


async def test_an_event_about_one_target_has_only_that_one_inspected(stage, monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_AGAIN_SECONDS", 60)
    stage.engine.images[DB] = FakeImage()  # without a health check: ready when it runs
    stage.engine.images[WEB] = FakeImage(health_after=60)
    stage.changes["waiting_seconds"] = 60
    async with stage.running():
        session_id = await stage.start()
        (web,) = await stage.eventually(lambda: [c for c in stage.of_image(WEB) if c.is_running])
        (db,) = stage.of_image(DB)
        await asyncio.sleep(0.1)
        before = inspections(stage)
        db.become("healthy")
        await asyncio.sleep(0.1)
        assert inspections(stage) == before
        web.become("healthy")
        await stage.until(session_id, Phase.SCANNING)
        assert inspections(stage)[len(before)] == web.id


def inspections(stage):
    return [call.about for call in stage.engine.calls_of("inspect_container")]


async def test_a_collector_receives_what_it_needs_and_never_the_ground_truth(stage):
    # In its turn; what one is given that stands by is in test_standby.py.
    in_turn = json.dumps(ALLOWLIST).replace('"stdin": true', '"stdin": false')
    (stage.folder / "allowlist.json").write_text(in_turn)
    async with stage.running():
        session_id = await stage.start()
        (first,) = await stage.eventually(lambda: stage.of_image(NETWORK))
        (container,) = await stage.eventually(lambda: stage.of_image(DATABASE))
        spec = container.spec
        config = spec.environment["DISCOVERY_CONFIG"]
        # A scanner of ports has no business with passwords.
        assert "hunter2" not in first.spec.environment["DISCOVERY_CONFIG"]
        assert '"nginx"' in config
        assert '"kind":"host"' not in config
        assert "hunter2" in config
        # A login is for the session's own network and no other.
        (login,) = json.loads(config)["credentials"]
        assert login["at"] == [json.loads(config)["cidr"]]
        visible = f"{spec.name} {spec.aliases} {config}"
        assert not any(word in visible for word in ("ground", "web", '"db"', "discovery/test-"))
        await stage.ended(session_id)


async def test_everything_carries_the_labels_and_the_deadline_of_its_session(stage):
    async with stage.running():
        session_id = await stage.start()
        session = await stage.until(session_id, Phase.SCANNING)
        for each in stage.left(session_id):
            found = each.spec.labels
            assert found[labels.OWNER] == str(stage.journal.id)
            assert labels.parse_rfc3339(found[labels.EXPIRES_AT]) == session.expires_at
            assert found[labels.TEMPLATE] == "two"
        await stage.ended(session_id)


async def test_a_kept_session_stays_until_it_is_stopped(stage):
    async with stage.running() as supervisor:
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.KEPT)
        await asyncio.sleep(0.3)
        assert len(stage.left(session_id)) == 3
        await supervisor.stop(session_id)
        assert (await stage.ended(session_id)).outcome is Outcome.STOPPED
        assert not stage.left(session_id)


async def test_a_session_is_cleaned_up_before_its_deadline(stage):
    stage.changes["session_seconds"] = 5
    async with stage.running():
        session_id = await stage.start(keep=True)
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.EXPIRED
        assert session.reason == (
            "its time was up: a network stands for 5 s at most, the last 1.7 s of which are for its removal"
        )
        assert session.ended_at < session.expires_at
        assert not stage.left(session_id)


@pytest.mark.parametrize("phase", [Phase.PROVISIONING, Phase.WAITING, Phase.SCANNING])
async def test_a_stop_in_any_phase_ends_in_stopped_with_nothing_left(stage, phase):
    async with stage.running() as supervisor:
        session_id = await stage.start()
        await stage.until(session_id, phase)
        await supervisor.stop(session_id)
        assert (await stage.ended(session_id)).outcome is Outcome.STOPPED
        assert not stage.left(session_id)


async def test_a_queued_session_waits_its_turn_and_can_be_stopped(stage):
    stage.changes["sessions_at_once"] = 1
    async with stage.running() as supervisor:
        first = await stage.start(keep=True)
        await stage.until(first, Phase.KEPT)
        second, third = await stage.start(), await stage.start()
        assert [(await supervisor.show(each)).queue_position for each in (second, third)] == [1, 2]
        await supervisor.stop(second)
        assert (await stage.ended(second)).outcome is Outcome.STOPPED
        assert not await stage.events_of(second, "network_created")
        await supervisor.stop(first)
        assert (await stage.ended(third)).outcome is Outcome.COMPLETED


async def test_nothing_starts_when_the_host_answers(stage):
    stage.engine.images[PROBE] = FakeImage(
        log=verdict(isolated=False, reason="the host answered"), log_pause=0.3, exit_after=0.01, exit_code=1
    )
    async with stage.running():
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert "the host answered" in session.reason
        started = {call.about for call in stage.engine.calls_of("start_container")}
        targets = [c for c in stage.engine._machine.removed if c.spec.image_id in (WEB, DB)]
        assert targets
        assert not started & {target.id for target in targets}


@pytest.mark.parametrize(
    "probe",
    [
        FakeImage(log=verdict(isolated=True), exit_after=0.01, exit_code=2),
        FakeImage(log=stdout('{"type":"end","discoveries":0}'), exit_after=0.01),
        FakeImage(log=verdict(isolated=None), exit_after=0.01),
    ],
    ids=["says so and crashes", "says nothing", "does not know"],
)
async def test_a_probe_that_proves_nothing_means_not_isolated(stage, probe, monkeypatch):
    # With the pauses between undecided probes a phase's seconds here would not do on a busy machine.
    monkeypatch.setattr(isolation, "CARRIER_SECONDS", 0.2)
    stage.engine.images[PROBE] = probe
    async with stage.running():
        session = await stage.ended(await stage.start())
        assert session.outcome is Outcome.FAILED
        assert "isolat" in session.reason


async def test_a_collector_on_no_network_is_not_taken_for_one_that_found_nothing(stage, monkeypatch):
    start = stage.engine.start_container

    async def start_without_network(container_id):
        await start(container_id)
        if container_id in {collector.id for collector in stage.of_image(NETWORK)}:
            stage.engine.take_off_network(container_id)

    monkeypatch.setattr(stage.engine, "start_container", start_without_network)
    async with stage.running():
        session = await stage.ended(await stage.start())
        assert session.outcome is Outcome.FAILED
        assert "collector network is on no network" in session.reason


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (FakeImage(log=stdout("garbage"), exit_after=0.01, exit_code=1), "exit code 1"),
        (FakeImage(log=stdout('{"type":"progress","done":1}'), exit_after=0.01), "without its end line"),
        (FakeImage(), "did not end within 1 s"),
        (
            FakeImage(log=(LogChunk("stderr", b"begun\nresolving router 0.0.0.0 with ARP\n"),)),
            "did not end within 1 s; it said last: begun | resolving router 0.0.0.0 with ARP",
        ),
    ],
    ids=["crashes", "says no end", "hangs", "hangs after a word"],
)
async def test_a_bad_collector_makes_the_scan_incomplete_and_no_session_fail(stage, image, says):
    stage.engine.images[NETWORK] = image
    stage.timeouts["network"] = 1
    async with stage.running():
        session_id = await stage.start()
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        ended = {event.collector: event for event in await stage.events_of(session_id, "collector_ended")}
        assert not ended["network"].complete
        assert says in ended["network"].reason
        assert ended["database"].complete


async def test_a_container_that_vanished_behind_our_back_ends_the_run_as_incomplete(stage):
    stage.engine.images[NETWORK] = FakeImage(log=images()[NETWORK].log)
    async with stage.running():
        session_id = await stage.start()
        await stage.until_stored(session_id, "discovery_reported")
        (victim,) = stage.of_image(NETWORK)
        stage.engine.vanish(victim.id)
        await stage.ended(session_id)
        ended = {event.collector: event for event in await stage.events_of(session_id, "collector_ended")}
        assert "removed by somebody else" in ended["network"].reason


@pytest.mark.parametrize("seed", range(25))
async def test_killed_at_any_moment_a_session_goes_on_and_finds_the_same(tmp_path, seed):
    choice = random.Random(seed)
    engine = FakeEngine(images())
    async with engine:
        stage = Stage(tmp_path, engine)
        session_id = None
        for life in range(4):
            async with stage.running():
                session_id = await stage.start(session_id)
                if life < 3:
                    await asyncio.sleep(choice.uniform(0, 0.35))
                else:
                    session = await stage.ended(session_id)
                    assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
                    found = await stage.events_of(session_id, "discovery_reported")
                    assert [event.line for event in found] == [2, 3, 4]
                    for once in ("network_created", "traffic_measured", "session_ended", "session_queued"):
                        assert len(await stage.events_of(session_id, once)) == 1, once
                    assert not stage.left(session_id)


async def test_a_session_whose_template_changed_and_whose_copy_is_lost_is_cleaned_up(stage):
    async with stage.running():
        session_id = await stage.start(keep=True)
        await stage.until(session_id, Phase.SCANNING)
    template = stage.folder / "templates" / "two.yml"
    template.write_text(template.read_text().replace("title: Two", "title: Three"))
    shutil.rmtree(stage.settings.state_dir / "installed")
    async with stage.running():
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.FAILED
        assert "template" in session.reason
        assert not stage.left(session_id)
