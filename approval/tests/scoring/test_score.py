from hypothesis import given
from hypothesis import strategies as st
from scored_truth import ADDRESSES, PERFECT, TRUTH, as_perfect, row, said

from approval_api.scoring.merging import Finding
from approval_api.scoring.score import score
from dryrun_contract.discovery import Discovery
from dryrun_contract.ground_truth import Fact


def test_a_perfect_collector_scores_one_everywhere():
    scores = score(TRUTH, PERFECT, ADDRESSES)
    assert (scores.overall.precision, scores.overall.recall, scores.overall.f1) == (1, 1, 1)
    assert scores.overall.coverage == 1
    assert [row.name for row in scores.rows] == [
        "host",
        "service",
        "product",
        "version",
        "database",
        "table",
        "columns",
    ]
    assert len(scores.found) == len(TRUTH)
    assert not (scores.false_negatives)
    assert not (scores.false_positives)
    assert not (scores.wrong_values)


def test_no_findings_have_no_precision_and_zero_recall():
    scores = score(TRUTH, [], ADDRESSES)
    assert (scores.overall.precision, scores.overall.recall, scores.overall.f1) == (None, 0, 0)
    assert len(scores.false_negatives) == len(TRUTH)


def test_no_facts_and_no_findings_is_undefined():
    scores = score([], [], {})
    assert scores.rows == ()
    assert (scores.overall.precision, scores.overall.recall, scores.overall.f1) == (None, None, None)
    assert scores.overall.coverage is None


def test_a_discovery_at_an_unknown_address_is_a_false_positive_and_keeps_its_address():
    scores = score(TRUTH, [*PERFECT, said("host", "10.0.0.99")], ADDRESSES)
    assert [one.key for one in scores.false_positives] == ["10.0.0.99"]
    assert row(scores, "host").false_positives == 1


def test_a_services_name_instead_of_its_address_is_not_a_discovery():
    by_name = [said(fact.kind, fact.key, **fact.data) for fact in TRUTH]
    scores = score(TRUTH, by_name, ADDRESSES)
    assert scores.found == ()
    assert len(scores.false_positives) == len(TRUTH)


def test_a_wrong_value_costs_precision_and_recall_and_is_listed_with_its_evidence():
    scores = score(TRUTH, [said("service", "10.0.0.3:80/tcp", product="NGINX", version="1.26")], ADDRESSES)
    version = row(scores, "version")
    assert (version.true_positives, version.false_positives, version.false_negatives) == (0, 1, 2)
    (wrong,) = scores.wrong_values
    assert (wrong.key, wrong.attribute, wrong.expected, wrong.found) == (
        "web:80/tcp",
        "version",
        "1.26.3",
        "1.26",
    )
    assert [(one.collector, one.value) for one in wrong.evidence] == [("network", "1.26")]
    assert row(scores, "product").true_positives == 1


def test_a_missing_value_costs_recall_only():
    scores = score(TRUTH, [said("service", "10.0.0.3:80/tcp", version=" ", product=None)], ADDRESSES)
    assert row(scores, "version").precision is None
    assert row(scores, "version").recall == 0
    missing = [missed.attribute for missed in scores.false_negatives if missed.key == "web:80/tcp"]
    assert missing == ["product", "version"]


def test_columns_are_a_set_and_some_of_them_are_wrong():
    def columns(*reported):
        finding = said("table", "10.0.0.2:5432/tcp/shop/public/orders", columns=list(reported))
        return row(score(TRUTH, [finding], ADDRESSES), "columns").true_positives

    assert columns("total", "id", "id") == 1
    assert columns({"name": "total", "type": "int"}, {"name": "id"}) == 1
    assert columns("id") == 0
    assert columns("id", "total", "secret") == 0
    assert columns("ID", "total") == 0


def test_a_list_of_guesses_is_no_product():
    finding = said("service", "10.0.0.3:80/tcp", product=["nginx", "Apache httpd", "PostgreSQL"])
    assert row(score(TRUTH, [finding], ADDRESSES), "product").true_positives == 0


def test_the_most_confident_collector_wins_attribute_by_attribute():
    key = "10.0.0.2:5432/tcp"
    findings = [
        said("service", key, collector="network", confidence=0.5, product="MySQL", version="17.2"),
        said("service", key, collector="database", confidence=0.9, product="PostgreSQL DB"),
    ]
    scores = score(TRUTH, findings, ADDRESSES)
    assert row(scores, "product").true_positives == 1
    assert row(scores, "version").true_positives == 1
    (found,) = scores.found
    assert found.collectors == ("database", "network")


def test_what_a_collector_takes_back_in_a_surer_report_is_not_its_answer():
    key = "10.0.0.2:5432/tcp"
    findings = [
        said("service", key, confidence=0.9, name="postgresql", product="PostgreSQL DB", version="17.2"),
        said("service", key, confidence=0.93, name="postgresql"),
        said("service", key, confidence=0.3, collector="other", product="MySQL"),
    ]
    (found,) = score(TRUTH, findings, ADDRESSES).found
    assert found.data == {"name": "postgresql", "product": "MySQL"}
    assert [(one.collector, one.confidence) for one in found.evidence] == [
        ("network", 0.93),
        ("network", 0.9),
        ("other", 0.3),
    ]


def test_facts_inside_a_service_that_refused_are_not_evaluable():
    findings = [said("service", "10.0.0.2:5432/tcp", access="refused")]
    scores = score(TRUTH, findings, ADDRESSES)
    assert [(one.key, one.service) for one in scores.not_evaluable] == [
        ("db:5432/tcp/shop", "db:5432/tcp"),
        ("db:5432/tcp/shop/public/orders", "db:5432/tcp"),
    ]
    assert row(scores, "table").recall is None
    assert row(scores, "table").not_evaluable == 1
    assert row(scores, "columns").not_evaluable == 1
    assert scores.overall.coverage == 5 / 7


def test_a_refusal_hides_nothing_once_something_inside_was_found():
    findings = [
        said("service", "10.0.0.2:5432/tcp", access="refused"),
        said("database", "10.0.0.2:5432/tcp/shop", collector="database"),
    ]
    scores = score(TRUTH, findings, ADDRESSES)
    assert scores.not_evaluable == ()
    assert row(scores, "table").recall == 0


def test_a_database_may_refuse_inside_a_service_that_is_open():
    findings = [
        said("service", "10.0.0.2:5432/tcp", product="PostgreSQL"),
        said("database", "10.0.0.2:5432/tcp/shop", access="refused"),
    ]
    scores = score(TRUTH, findings, ADDRESSES)
    assert [(one.key, one.service) for one in scores.not_evaluable] == [
        ("db:5432/tcp/shop/public/orders", "db:5432/tcp/shop")
    ]
    assert row(scores, "database").recall == 1


def test_a_refusal_at_another_port_hides_nothing():
    findings = [said("service", "10.0.0.2:543/tcp", access="refused")]
    assert score(TRUTH, findings, ADDRESSES).not_evaluable == ()


def test_hard_facts_count_in_one_figure_and_not_in_the_other():
    easy = [finding for fact, finding in zip(TRUTH, PERFECT, strict=True) if fact.hard is None]
    scores = score(TRUTH, easy, ADDRESSES)
    assert row(scores, "service").recall == 2 / 3
    assert scores.overall_without_hard.recall == 1
    with_all = score(TRUTH, PERFECT, ADDRESSES)
    assert with_all.overall_without_hard.precision == 1
    assert [missed.hard for missed in scores.false_negatives] == ["unusual port"]


def test_swapped_ground_truths_collapse_the_score():
    other = (
        Fact(kind="host", key="mail"),
        Fact(kind="service", key="mail:25/tcp", data={"product": "Postfix"}),
    )
    scores = score(other, PERFECT, ADDRESSES)
    assert scores.overall.f1 == 0


def test_an_unknown_kind_is_a_row_of_its_own():
    scores = score(TRUTH, [*PERFECT, said("flying_saucer", "10.0.0.3")], ADDRESSES)
    saucer = row(scores, "flying_saucer")
    assert (saucer.precision, saucer.recall, saucer.f1) == (0, None, 0)


keys = st.one_of(
    st.sampled_from([*sorted(ADDRESSES), "10.0.0.99", "db", "web"]),
    st.builds(
        "{}:{}/tcp{}".format,
        st.sampled_from([*sorted(ADDRESSES), "10.0.0.99", "db"]),
        st.sampled_from(["80", "080", "5432", "18734"]),
        st.sampled_from(["", "/shop", "/shop/public/orders"]),
    ),
)
values = st.one_of(
    st.none(),
    st.sampled_from(["nginx", "NGINX ", "PostgreSQL", "17.2", "", "refused"]),
    st.integers(),
    st.lists(st.sampled_from(["id", "total"]), max_size=3),
)
findings = st.lists(
    st.builds(
        lambda kind, key, confidence, data, collector: Finding(
            collector, Discovery(kind=kind, key=key, confidence=confidence, data=data)
        ),
        st.sampled_from(["host", "service", "database", "table", "new_kind"]),
        keys,
        st.sampled_from([0.0, 0.5, 1.0]),
        st.dictionaries(
            st.sampled_from(["product", "version", "columns", "access", "x"]), values, max_size=3
        ),
        st.sampled_from(["network", "database"]),
    ),
    max_size=12,
)
truths = st.lists(st.sampled_from(TRUTH), max_size=7, unique_by=lambda fact: (fact.kind, fact.key))


@given(truths, findings, st.randoms())
def test_order_and_repetition_do_not_change_a_score(truth, found, random):
    shuffled = [*found, *found]
    random.shuffle(shuffled)
    shuffled_truth = list(truth)
    random.shuffle(shuffled_truth)
    assert score(truth, found, ADDRESSES) == score(shuffled_truth, shuffled, ADDRESSES)


@given(truths, findings)
def test_counts_add_up_and_figures_stay_in_range(truth, found):
    scores = score(truth, found, ADDRESSES)
    for rows, facts in ((scores.rows, truth), (scores.rows_without_hard, [f for f in truth if not f.hard])):
        for one in rows:
            counted = one.true_positives + one.false_negatives + one.not_evaluable
            carrying = [
                f for f in facts if f.kind == one.kind and (one.attribute is None or one.attribute in f.data)
            ]
            assert counted == len(carrying)
            for figure in (one.precision, one.recall, one.f1):
                assert figure is None or 0 <= figure <= 1
            assert (one.precision is None) == (one.true_positives + one.false_positives == 0)
    keys_missed = [missed for missed in scores.false_negatives if missed.attribute is None]
    assert len(scores.found) + len(keys_missed) + len(scores.not_evaluable) == len(truth)
    assert len(scores.false_positives) == sum(
        one.false_positives for one in scores.rows if one.attribute is None
    )
    assert len(scores.wrong_values) == sum(one.false_positives for one in scores.rows if one.attribute)


@given(truths, findings, findings)
def test_more_false_positives_never_raise_precision_of_a_kind(truth, found, more):
    false_positives = [
        Finding(one.collector, one.discovery.model_copy(update={"key": f"10.0.1.{number}"}))
        for number, one in enumerate(more, start=1)
    ]
    before, after = score(truth, found, ADDRESSES), score(truth, [*found, *false_positives], ADDRESSES)
    kept = {(one.kind, one.attribute): one for one in after.rows}
    for one in before.rows:
        later = kept[one.kind, one.attribute]
        assert later.true_positives == one.true_positives
        if one.precision is not None:
            assert later.precision <= one.precision
        assert later.recall == one.recall


@given(truths, st.lists(st.booleans(), min_size=7, max_size=7))
def test_reporting_more_facts_never_lowers_recall(truth, reported):
    findings = [as_perfect(fact) for fact, tell in zip(truth, reported, strict=False) if tell]
    some = score(truth, findings, ADDRESSES)
    every = score(truth, [as_perfect(fact) for fact in truth], ADDRESSES)
    for partial, whole in zip(some.rows, every.rows, strict=True):
        assert whole.recall == 1
        assert partial.recall <= 1
        assert partial.precision in {None, 1}


def test_a_false_negative_names_the_nearest_thing_found():
    scores = score(TRUTH, [said("host", "10.0.0.2"), said("service", "10.0.0.2:5432/tcp")], ADDRESSES)
    nearest = {(one.key, one.attribute): one.nearest for one in scores.false_negatives}
    assert nearest["db:5432/tcp/shop/public/orders", None] == "db:5432/tcp"
    assert nearest["db:5432/tcp", "version"] == "db:5432/tcp"
    assert nearest["web:18734/tcp", None] is None
    assert nearest["web", None] is None


def test_several_collectors_findings_of_one_thing_are_one_with_all_evidence():
    reported = [
        said("service", "10.0.0.3:80/tcp", product="nginx", confidence=0.5),
        said("service", "10.0.0.3:80/tcp", collector="web", version="1.26.3", confidence=0.9),
    ]
    (found,) = score(TRUTH, reported, ADDRESSES).found
    assert found.data == {"product": "nginx", "version": "1.26.3"}
    assert found.collectors == ("network", "web")
    assert [(one.collector, one.confidence, one.data) for one in found.evidence] == [
        ("web", 0.9, {"version": "1.26.3"}),
        ("network", 0.5, {"product": "nginx"}),
    ]


def test_each_hard_case_is_judged():
    truth = [
        Fact(kind="service", key="web:1/tcp", hard="a"),
        Fact(kind="service", key="web:2/tcp", hard="b"),
        Fact(kind="service", key="web:3/tcp", data={"product": "x"}, hard="c"),
        Fact(kind="service", key="web:4/tcp", data={"product": "x"}, hard="d"),
        Fact(kind="database", key="web:5/tcp/0", hard="e"),
        Fact(kind="service", key="web:6/tcp"),
    ]
    reported = [
        said("service", "10.0.0.3:1/tcp"),
        said("service", "10.0.0.3:3/tcp", product="y"),
        said("service", "10.0.0.3:4/tcp"),
        said("service", "10.0.0.3:5/tcp", access="refused"),
    ]
    judged = {case.reason: case.judgement for case in score(truth, reported, ADDRESSES).hard_cases}
    assert judged == {"a": "found", "b": "missed", "c": "wrong", "d": "incomplete", "e": "not_evaluable"}
