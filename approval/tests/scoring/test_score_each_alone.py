from scored_truth import ADDRESSES, TRUTH, said

from approval_api.scoring.score import score_each_alone
from dryrun_contract.ground_truth import Fact
from dryrun_contract.scores import MAX_OWN_LISTED


def test_a_collector_alone_is_scored_for_the_kinds_it_reports():
    reported = [
        said("host", "10.0.0.2"),
        said("service", "10.0.0.3:80/tcp", product="nginx"),
        said("service", "10.0.0.99:80/tcp"),
        said("host", "10.0.0.3", collector="other"),
    ]
    (alone,) = [one for one in score_each_alone(TRUTH, reported, ADDRESSES) if one.collector == "network"]
    rows = {row.name: row for row in alone.rows}
    assert rows["host"].recall == 0.5
    assert rows["service"].precision == 0.5
    assert not {"database", "table"} & rows.keys()


def test_a_collector_alone_has_lists_of_its_own_with_the_true_value_beside_the_reported():
    truth = [
        Fact(kind="service", key="web:80/tcp", data={"product": "nginx", "version": "1.26"}),
        Fact(kind="service", key="web:443/tcp"),
    ]
    reported = [
        said("service", "10.0.0.3:80/tcp", collector="theirs", product="Apache"),
        said("service", "10.0.0.99:80/tcp", collector="theirs"),
        said("service", "10.0.0.3:80/tcp", product="nginx"),
    ]
    theirs = next(one for one in score_each_alone(truth, reported, ADDRESSES) if one.collector == "theirs")
    assert [(one.key, one.attribute, one.expected) for one in theirs.false_negatives] == [
        ("web:443/tcp", None, None),
        ("web:80/tcp", "version", "1.26"),
    ]
    assert [one.key for one in theirs.false_positives] == ["10.0.0.99:80/tcp"]
    assert [(one.attribute, one.expected, one.found) for one in theirs.wrong_values] == [
        ("product", "nginx", "Apache")
    ]


def test_what_a_collector_does_not_claim_is_shown_and_not_held_against_it():
    truth = [
        Fact(kind="host", key="web"),
        Fact(kind="service", key="web:80/tcp", data={"product": "nginx", "version": "1.26"}),
        Fact(kind="table", key="web:80/tcp/shop/orders"),
    ]
    reported = [
        said("service", "10.0.0.3:80/tcp", product="Apache"),
        said("web_app", "10.0.0.3:80/tcp", title="x"),
    ]
    ports_only = {"network": {"host": (), "service": ()}}
    (alone,) = score_each_alone(truth, reported, ADDRESSES, ports_only)
    assert [(row.kind, row.attribute, row.recall) for row in alone.rows] == [
        # Claimed and never reported: that is held against it.
        ("host", None, 0.0),
        ("service", None, 1.0),
    ]
    assert alone.overall.recall == 0.5
    assert {(row.kind, row.attribute) for row in alone.rows_not_claimed} == {
        ("service", "product"),
        ("service", "version"),
        ("web_app", None),
    }
    assert [one.key for one in alone.false_negatives] == ["web"]
    assert (alone.false_positives, alone.wrong_values) == ((), ())


def test_a_collector_that_claims_and_reports_nothing_has_a_column():
    (alone,) = score_each_alone([Fact(kind="host", key="web")], [], ADDRESSES, {"theirs": {"host": ()}})
    assert (alone.collector, alone.overall.recall) == ("theirs", 0.0)


def test_the_lists_of_a_collector_are_bounded_and_its_rows_count_all():
    reported = [said("service", f"10.0.0.99:{port}/tcp") for port in range(1, MAX_OWN_LISTED + 100)]
    (alone,) = score_each_alone(TRUTH, reported, ADDRESSES)
    assert len(alone.false_positives) == MAX_OWN_LISTED
    assert next(row for row in alone.rows if row.attribute is None).false_positives == MAX_OWN_LISTED + 99
