"""What an experiment keeps of a report."""

from approval_api.experiments import measure as measuring


async def test_what_was_missed_is_kept_before_what_was_found(report, monkeypatch):
    every = measuring.measure(report).facts
    missed = sum(fact.fate == "missed" for fact in every)
    assert 0 < missed < len(every)
    monkeypatch.setattr(measuring, "MAX_FACTS", missed)
    cut = measuring.measure(report)
    assert [fact.fate for fact in cut.facts] == ["missed"] * missed
    assert cut.facts_left_out == len(every) - missed


async def test_without_logs_side_effects_are_not_known(report):
    assert measuring.measure(report).logs_read
    assert not measuring.measure(report.model_copy(update={"logs": None})).logs_read


def measured_by(report, **claims):
    """Return what is kept where collectors claim this, and the others nothing."""
    runs = [
        run.model_copy(update={"claims": claims.get(run.collector, {})})
        for run in report.collectors
        if run.purpose == "discovery"
    ]
    return measuring.measure(report.model_copy(update={"collectors": tuple(runs)}))


async def test_what_no_collector_claims_is_held_against_none(report):
    def rows(**claims):
        return {(row.kind, row.attribute) for row in measured_by(report, **claims).rows}

    every = {(row.kind, row.attribute) for row in report.scores.rows}
    assert rows(network=None) == every
    assert rows(network={"host": (), "service": ("product",)}) == {
        ("host", None),
        ("service", None),
        ("service", "product"),
    }
    assert rows() == set()


async def test_what_no_collector_claims_is_no_fact_that_another_may_be_better_at(report):
    """Found or not: otherwise a collector that claims no versions would seem to have lost them."""

    def facts(**claims):
        return [(fact.kind, fact.attribute) for fact in measured_by(report, **claims).facts]

    every = facts(network=None)
    assert every == [(fact.kind, fact.attribute) for fact in measuring.measure(report).facts]
    claimed = {("host", None), ("service", None), ("service", "product")}
    assert facts(network={"host": (), "service": ("product",)}) == [fact for fact in every if fact in claimed]
    assert facts() == []


def test_no_failed_login_in_a_log_that_was_not_searched_to_its_end_is_not_none(report):
    db = report.logs["db"]
    for counts, truncated, known in (({}, True, 3), ({"failed_logins": 0}, True, None), ({}, False, 3)):
        searched = db.model_copy(update={"counts": db.counts | counts, "truncated": truncated})
        logs = report.logs | {"db": searched}
        assert measuring.measure(report.model_copy(update={"logs": logs})).failed_logins == known
