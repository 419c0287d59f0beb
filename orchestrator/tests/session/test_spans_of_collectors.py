"""When a collector that stood by ran: not while it waited, whatever the clocks say."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from dryrun_orchestrator.session.log_lines import CollectorSpan
from dryrun_orchestrator.session.scanning import _span

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def after(seconds):
    return NOON + timedelta(seconds=seconds)


async def spans_between(handed, ended, *, placement=None, known=True):
    """Return begin and end of a run that waited from second 1, for one that ended at 10, in seconds."""

    async def record():
        return SimpleNamespace(subnet="10.213.0.0/27")

    async def inspect_container(_):
        return SimpleNamespace(
            started_at=after(1), ended_at=after(ended), takes_input=True, address="10.213.0.29"
        )

    first = SimpleNamespace(name="network")
    context = SimpleNamespace(
        record=record,
        engine=SimpleNamespace(inspect_container=inspect_container),
        placement=placement,
        template=SimpleNamespace(collectors=(first,)),
        spans=[CollectorSpan("network", "10.213.0.30", NOON, after(10))] if known else [],
    )
    manifest = SimpleNamespace(waits_for=lambda other: other is first)
    run = SimpleNamespace(collector="database", started_at=after(handed))
    span = await _span(context, manifest, run, "id", 1)
    return (span.started - NOON).total_seconds(), (span.ended - NOON).total_seconds()


@pytest.mark.parametrize(
    ("handed", "ended", "span"),
    [
        (10.2, 11, (10.2, 11)),
        (8.5, 11, (10, 11)),  # this process's clock is slow
        (13, 11, (11, 11)),  # or it is fast
        (10.2, 4, (4, 4)),  # it died while it stood by
    ],
)
async def test_it_begins_when_it_was_handed_what_others_found(handed, ended, span):
    assert await spans_between(handed, ended) == span


@pytest.mark.parametrize("handed", [8.5, 10.2, 10.8, 12.2])
async def test_in_a_fleet_it_begins_when_those_had_ended_that_it_waited_for(handed):
    assert await spans_between(handed, 11, placement=SimpleNamespace()) == (10, 11)


@pytest.mark.parametrize("placement", [None, SimpleNamespace()])
async def test_after_a_restart_only_this_process_knows(placement):
    assert await spans_between(10.2, 11, placement=placement, known=False) == (10.2, 11)
