"""What is prepared on a host goes when it may not stand there any more, or the host's memory runs short."""

import asyncio
from dataclasses import replace

import pytest
from fleet_stage import left
from prepared_on_hosts import filled, host_of, lines, ready
from prepared_sessions import claim, dropped, rows
from stage import TEMPLATE

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.engine.errors import TransientEngineError
from dryrun_orchestrator.hosts import host as host_module
from dryrun_orchestrator.hosts.fleet_view import hosts_state, show_fleet
from dryrun_orchestrator.journal.records import DropCause, PoolState
from dryrun_orchestrator.pool.grounds import TARGET_BYTES


async def test_a_drained_host_says_that_what_was_prepared_there_is_still_being_removed(pooled):
    async with pooled.running() as supervisor:
        prepared = await ready(pooled, "a", "b", "c")
        hosts = supervisor._hosts
        pooled.fleet["b"][0].faults.fail("remove_container", TransientEngineError("busy"), times=1000)
        hosts.fleet = replace(hosts.fleet, drained=frozenset("b"))
        while not await rows(pooled, PoolState.DROPPING):
            await asyncio.sleep(0.01)
        said = hosts_state(await show_fleet(hosts, pooled.journal))
        assert said.endswith("b: drained, 0 sessions on it, what was prepared there is being removed")
        pooled.fleet["b"][0].faults.clear()
        assert (await dropped(pooled, DropCause.HOST)).id == prepared["b"]


async def test_a_cold_claim_whose_host_answers_nobody_fails_and_names_it(pooled):
    pooled.changes |= {"engine_wait_seconds": 0.3}
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
        pooled.fleet["b"][0].go_down()
        await claim(pooled, prepared["b"])
        session = await pooled.until(prepared["b"], Phase.CLEANING_UP)
        assert session.reason.startswith(
            "what was prepared for it on b had to be removed, and was not: host b: "
        )
        assert session.reason.endswith("; start it again")
        pooled.fleet["b"][0].come_up()
        assert (await pooled.ended(session.id)).outcome is Outcome.FAILED
        assert not left(pooled, session.id)


async def test_what_may_not_stand_on_its_host_any_more_goes(pooled):
    """The file is read at a start, and one that was killed left what it had prepared."""
    text = TEMPLATE.replace("x-dryrun:\n", "x-dryrun:\n  hosts: {zone: lab}\n", 1)
    (pooled.folder / "templates" / "two.yml").write_text(text)
    pooled.labels = {host: {"zone": "lab"} for host in "ab"}
    async with pooled.running():
        prepared = await ready(pooled, "a", "b")
    pooled.labels = {"a": {"zone": "lab"}, "b": {"zone": "office"}}
    async with pooled.running():
        row = await dropped(pooled, DropCause.HOST)
        assert (row.id, row.reason) == (prepared["b"], "b lacks labels that its template asks for")
        assert not left(pooled, prepared["b"])
        assert await ready(pooled, "a") == {"a": prepared["a"]}


async def test_what_stands_on_a_host_that_the_file_has_no_more_is_dropped_for_that(pooled):
    async with pooled.running():
        prepared = await ready(pooled, "a", "b", "c")
    pooled.fleet.pop("b")
    async with pooled.running():
        row = await dropped(pooled, DropCause.HOST)
        # Its own loop finds out as well.
        assert (row.id, "b is no longer in the fleet's file" in row.reason) == (prepared["b"], True)
        assert pooled.supervisor._pool._grounds.closed("b") == "b is no longer in the fleet's file"
        assert await ready(pooled, "a", "c") == {host: prepared[host] for host in "ac"}


@pytest.fixture
def quick_pulse(monkeypatch):
    monkeypatch.setattr(host_module, "PULSE_SECONDS", 0.1)


async def test_a_host_whose_memory_is_short_prepares_nothing_and_holds_up_no_other(pooled, quick_pulse):
    pooled.changes |= {"pool_spare_memory": 2**30}
    needed = 2**30 + 2 * TARGET_BYTES
    for host, available in {"a": needed, "b": needed - 1, "c": None}.items():
        pooled.fleet[host][0].available_memory = available
    async with pooled.running():
        await ready(pooled, "a", "c")
        assert (await lines(pooled))["b"].note == "b: 1279 MiB of memory are available, 1280 MiB are needed"
        pooled.fleet["b"][0].available_memory = needed
        await ready(pooled, "a", "b", "c")


async def test_one_at_a_time_goes_of_a_host_whose_memory_runs_short(pooled, quick_pulse):
    pooled.changes |= {"pool": "two=2", "pool_spare_memory": 2**30}
    pooled.fleet["b"][0].available_memory = 2**32
    async with pooled.running():
        await filled(pooled, a=2, b=2, c=2)
        # As much as one of them uses is lacking.
        pooled.fleet["b"][0].available_memory = 2**30 - 1
        row = await dropped(pooled, DropCause.MEMORY)
        assert (host_of(row), row.reason) == ("b", "b: only 1023 MiB of memory are available")
        pooled.fleet["b"][0].available_memory = 2**30
        await asyncio.sleep(0.5)
        await filled(pooled, a=2, b=1, c=2)
        assert "MiB are needed" in (await lines(pooled))["b"].note
        # It goes on as long as it takes.
        pooled.fleet["b"][0].available_memory = 2**30 - 1
        await filled(pooled, a=2, b=0, c=2)
        assert {row.drop_cause for row in await rows(pooled, PoolState.DROPPED)} == {DropCause.MEMORY}
