"""Scoring against its definition: `docs/scoring.md` written down once more, slowly and without its code."""

import itertools
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approval_api.scoring.merging import Finding
from approval_api.scoring.score import score, score_each_alone
from approval_api.scoring.values import same_value
from dryrun_contract.discovery import Discovery
from dryrun_contract.ground_truth import Fact
from dryrun_contract.kinds import KINDS

ADDRESSES = {"10.0.0.2": "db", "10.0.0.3": "db-1"}


def stated(value):
    return value is not None and str(value).strip() != ""


def parts(key):
    """Split a key into its host and what follows; the alphabet below needs no escapes."""
    host, _, rest = key.partition(":")
    port, *names = rest.split("/") if rest else [""]
    return host, [str(int(port)), *names] if port else []


def joined(host, names):
    return f"{host}:{'/'.join(names)}" if names else host


def is_inside(key, place):
    """Return whether `key` lies in a service or deeper; nothing lies in a host."""
    (host, names), (outer_host, outer) = parts(key), parts(place)
    return host == outer_host and len(outer) >= 2 and len(names) > len(outer) and names[: len(outer)] == outer


def named(finding):
    host, names = parts(finding.discovery.key)
    return joined(ADDRESSES.get(host, host), names), host in ADDRESSES


def surest_of_each(said):
    """Return what each collector is surest of; its other reports are replaced by those."""
    surest = {}
    for one in said:
        surest[one.collector] = max(surest.get(one.collector, 0), one.discovery.confidence)
    return [one for one in said if one.discovery.confidence == surest[one.collector]]


def by_definition(truth, findings, *, hard=True):
    facts = {(fact.kind, joined(*parts(fact.key))): fact for fact in truth}
    things = {}
    for finding in findings:
        things.setdefault((finding.discovery.kind, *named(finding)), []).append(finding)

    def value(said, attribute):
        ranked = sorted(
            surest_of_each(said),
            key=lambda one: (
                -one.discovery.confidence,
                one.collector,
                json.dumps(one.discovery.data, sort_keys=True),
            ),
        )
        values = [one.discovery.data.get(attribute) for one in ranked]
        return next((each for each in values if stated(each)), None)

    found = {one: things[*one, True] for one in facts if (*one, True) in things}
    refusing = [
        key
        for (kind, key, known), said in things.items()
        if known
        and kind in ("service", "database")
        and any(one.discovery.data.get("access") == "refused" for one in said)
        and not any(other_known and is_inside(other, key) for _, other, other_known in things)
    ]
    hidden = {one: key for one in facts for key in refusing if is_inside(one[1], key)}
    false_positives = [thing for thing in things if thing[:2] not in found or not thing[2]]
    facts = {one: fact for one, fact in facts.items() if hard or fact.hard is None}
    rows, missed, wrong = {}, set(), set()
    for kind in {kind for kind, *_ in (*facts, *false_positives)}:
        of_kind = [one for one in facts if one[0] == kind]
        lost = [one for one in of_kind if one not in found and one not in hidden]
        unseen = sum(one in hidden for one in of_kind)
        false = sum(thing[0] == kind for thing in false_positives)
        rows[kind, None] = (len(of_kind) - len(lost) - unseen, false, len(lost), unseen)
        for one in lost:
            around = {key for _, key in found if is_inside(one[1], key) or parts(one[1])[0] == key != one[1]}
            missed.add((*one, None, max(around, key=len, default=None)))
        carried = {name for one in of_kind for name, each in facts[one].data.items() if stated(each)}
        for attribute in carried & set(KINDS[kind].scored if kind in KINDS else carried):
            carriers = [one for one in of_kind if stated(facts[one].data.get(attribute))]
            count = [0, 0, 0, 0]
            for one in carriers:
                said = value(found[one], attribute) if one in found else None
                if one in hidden:
                    count[3] += 1
                elif said is None:
                    count[2] += 1
                    missed |= {(*one, attribute, one[1])} if one in found else set()
                elif same_value(attribute, facts[one].data[attribute], said):
                    count[0] += 1
                else:
                    count[1] += 1
                    count[2] += 1
                    wrong.add((*one, attribute, repr(said)))
            rows[kind, attribute] = tuple(count)
    return rows, set(found), missed, wrong, hidden


def as_told(scores):
    return (
        counts(scores.rows),
        {(one.kind, one.key) for one in scores.found},
        {(one.kind, one.key, one.attribute, one.nearest) for one in scores.false_negatives},
        {(one.kind, one.key, one.attribute, repr(one.found)) for one in scores.wrong_values},
        {(one.kind, one.key): one.service for one in scores.not_evaluable},
    )


def counts(rows):
    return {
        (row.kind, row.attribute): (
            row.true_positives,
            row.false_positives,
            row.false_negatives,
            row.not_evaluable,
        )
        for row in rows
    }


KIND = st.sampled_from(["host", "service", "database", "table", "mystery"])
PATHS = st.lists(st.sampled_from(["a", "b", "a-b", "a!", "A"]), max_size=3).map(
    lambda names: "".join(f"/{name}" for name in names)
)
PLACES = st.one_of(
    st.just(""), st.builds("{}{}".format, st.sampled_from([":80/tcp", ":080/tcp", ":81/tcp"]), PATHS)
)
VALUES = st.sampled_from([None, " ", "x", "X", "y", 1, ["x", "y"]])
DATA = st.dictionaries(st.sampled_from(["product", "version", "engine", "columns"]), VALUES, max_size=3)
ACCESS = st.sampled_from([{}, {"access": "refused"}])
FACTS = st.builds(
    lambda kind, host, place, data, hard: Fact(kind=kind, key=host + place, data=data, hard=hard),
    KIND,
    st.sampled_from(["db", "db-1", "d"]),
    PLACES,
    DATA,
    st.sampled_from([None, "unusual"]),
)
FINDINGS = st.builds(
    lambda who, kind, host, place, data, access, sure: Finding(
        who, Discovery(kind=kind, key=host + place, data={**data, **access}, confidence=sure)
    ),
    st.sampled_from(["network", "nmap"]),
    KIND,
    st.sampled_from([*ADDRESSES, "10.0.0.9", "db"]),
    PLACES,
    DATA,
    ACCESS,
    st.sampled_from([0.5, 1.0]),
)


@st.composite
def worlds(draw):
    """Facts, and findings of which some hit them."""
    truth = draw(st.lists(FACTS, max_size=12))
    findings = draw(st.lists(FINDINGS, max_size=12))
    addresses = {name: address for address, name in ADDRESSES.items()}
    for fact in draw(st.lists(st.sampled_from(truth), max_size=8)) if truth else ():
        host, _, rest = fact.key.partition(":")
        key = addresses.get(host, "10.0.0.9") + (f":{rest}" if rest else "")
        reported = st.tuples(st.one_of(st.just(dict(fact.data)), DATA), st.sampled_from([0.5, 1.0]))
        for data, sure in draw(st.lists(reported, min_size=1, max_size=2)):
            found = Discovery(kind=fact.kind, key=key, data=data, confidence=sure)
            findings.append(Finding("network", found))
    return truth, findings


@given(worlds())
def test_scores_are_what_the_definition_says(world):
    truth, findings = world
    assert as_told(score(truth, findings, ADDRESSES)) == by_definition(truth, findings)


@given(worlds())
def test_hard_facts_count_neither_for_nor_against_without_them(world):
    truth, findings = world
    easy = score(truth, findings, ADDRESSES).rows_without_hard
    assert counts(easy) == by_definition(truth, findings, hard=False)[0]


@given(worlds())
def test_a_collector_alone_is_averaged_over_the_kinds_it_reports(world):
    truth, findings = world
    expected = {}
    for collector in sorted({one.collector for one in findings}):
        own = [one for one in findings if one.collector == collector]
        kinds = {one.discovery.kind for one in own}
        expected[collector] = by_definition([fact for fact in truth if fact.kind in kinds], own)[0]
    alone = score_each_alone(truth, findings, ADDRESSES)
    assert {one.collector: counts(one.rows) for one in alone} == expected
    assert [one.collector for one in alone] == [*expected]


@given(worlds(), st.randoms())
def test_no_order_changes_anything(world, chance):
    truth, findings = world
    facts = list({(fact.kind, joined(*parts(fact.key))): fact for fact in truth}.values())
    shuffled, mixed = chance.sample(facts, len(facts)), chance.sample(findings, len(findings))
    assert score(facts, findings, ADDRESSES) == score(shuffled, [*mixed, *mixed[:3]], ADDRESSES)
    assert score_each_alone(facts, findings, ADDRESSES) == score_each_alone(shuffled, mixed, ADDRESSES)


def deep(number):
    """Return an old row's key of 1,000 characters and almost 500 names."""
    return f"10.0.0.2:80/tcp/{number:05d}{'/a' * 485}"


SHAPES = {
    "deep keys": lambda n: ([], [("table", deep(i), {}) for i in range(n)]),
    "facts that are missed": lambda n: ([("table", f"db:80/tcp/s/{i}") for i in range(n)], []),
    "reported differently each time": lambda n: (
        [],
        [("table", "10.0.0.2:80/tcp/x", {"n": i}) for i in range(n)],
    ),
    "refusals": lambda n: (
        [("table", f"db:80/tcp/{i}/t") for i in range(n)],
        [("database", f"10.0.0.2:80/tcp/{i}", {"access": "refused"}) for i in range(n)],
    ),
    "values that are missing": lambda n: (
        [("table", f"db:80/tcp/{i}") for i in range(n)],
        [("table", f"10.0.0.2:80/tcp/{i}", {}) for i in range(n)],
    ),
    "kinds": lambda n: ([], [(f"kind_{i}", "10.0.0.2", {}) for i in range(n)]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_eight_times_as_much_takes_no_more_than_its_share(shape):
    def seconds(size):
        facts, said = SHAPES[shape](size)
        truth = [Fact(kind=kind, key=key, data={"columns": ["id"]}) for kind, key in facts]
        findings = [
            Finding(
                f"c{number % 50}", Discovery.model_construct(kind=kind, key=key, data=data, confidence=1.0)
            )
            for number, (kind, key, data) in enumerate(said)
        ]
        begin = time.process_time()
        score(truth, findings, ADDRESSES)
        score_each_alone(truth, findings, ADDRESSES)
        return time.process_time() - begin

    # The best of three: what else this machine does makes a run longer, never shorter.
    small, large = (min(seconds(size) for _ in range(3)) for size in (250, 2000))
    assert large / small < 24  # 8 log 2000 / log 250 is 11; a square would be 64


def test_a_key_costs_no_more_than_its_characters():
    def seconds(names):
        values = {"kind": "web_app", "data": {}, "confidence": 1.0}
        keys = [f"10.0.0.2:80/tcp/{number:03d}{'/a' * names}" for number in range(100)]
        said = [Discovery.model_construct(**values, key=key) for key in keys]
        findings = [Finding("network", one) for one in said]
        begin = time.process_time()
        score([Fact(kind="host", key="db")], findings, ADDRESSES)
        return time.process_time() - begin

    shallow, deeper = (min(seconds(names) for _ in range(3)) for names in (60, 480))
    assert deeper / shallow < 24


def test_the_examples_of_the_definition_occur():
    """The worlds above hold every judgement, so that the comparison means something."""
    seen = set()
    chance = random.Random(4)
    keys = ["", *(f":80/tcp{path}" for path in ("", "/a", "/a/b", "/a-b"))]
    for _ in range(300):
        truth = [
            Fact(
                kind=chance.choice(["service", "table"]), key=f"db{chance.choice(keys)}", data={"version": 1}
            )
            for _ in range(6)
        ]
        findings = [
            Finding("network", Discovery(kind=kind, key=f"10.0.0.2{chance.choice(keys)}", data=data))
            for kind, data in itertools.product(
                ("service", "database"), ({"access": "refused"}, {"version": chance.choice([1, 2])})
            )
        ]
        scores = score(truth, findings, ADDRESSES)
        assert as_told(scores) == by_definition(truth, findings)
        seen |= {name for name in ("found", "not_evaluable", "wrong_values") if getattr(scores, name)}
        seen |= {"nearest" for one in scores.false_negatives if one.nearest and one.attribute is None}
    assert seen == {"found", "not_evaluable", "wrong_values", "nearest"}
