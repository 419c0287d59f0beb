"""Which scans make a check incomplete, and what others left out: what no later ones cover."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, update

from approval_api.checks import completeness, repository
from approval_api.checks.completeness import MOST_NOT_COVERED, _Scans
from approval_api.database.tables import discoveries, production_scans
from approval_api.discoveries.production import scans as stored_scans
from dryrun_contract.production import ScanEnd, ScanStart

BROKEN_OFF, COMPLETE, UNDER_WAY = False, True, None
NET = "10.213.0.0/23"
LOWER, UPPER = "10.213.0.0/24", "10.213.1.0/24"
NETWORK = ip_network("10.213.0.0/28")
NOW = datetime.now(UTC)


def scan(number, targets, complete, excluded="", profile="full"):
    """The row of a scan that was reported as so many seconds later."""
    ended = complete is not UNDER_WAY
    return {
        "id": uuid4(),
        "collector": "network",
        "targets": targets.split(),
        "excluded": excluded.split(),
        "not_covered": [],
        "profile": profile,
        "started_by": "ada",
        "started_at": NOW,
        "reported_at": NOW + timedelta(seconds=number),
        "ended_at": NOW if ended else None,
        "complete": complete,
        "missed": 0 if ended else None,
        "gone": 0 if ended else None,
    }


@pytest.mark.parametrize(
    ("scans", "complete"),
    [
        ([(NET, COMPLETE)], True),
        ([(NET, COMPLETE), (LOWER, UNDER_WAY)], False),
        ([(NET, UNDER_WAY), (NET, COMPLETE)], True),
        ([(NET, BROKEN_OFF), (NET, COMPLETE), (NET, BROKEN_OFF)], False),
        # Again in parts: by one scan, or by several.
        ([(NET, BROKEN_OFF), (LOWER, COMPLETE)], False),
        ([(NET, BROKEN_OFF), (f"{UPPER} {LOWER}", COMPLETE)], True),
        ([(NET, BROKEN_OFF), (LOWER, COMPLETE), (UPPER, COMPLETE)], True),
        ([(NET, BROKEN_OFF), (LOWER, COMPLETE), (UPPER, BROKEN_OFF)], False),
        ([(f"{LOWER} {UPPER}", BROKEN_OFF), (UPPER, COMPLETE), (LOWER, COMPLETE)], True),
        ([(f"{LOWER} 10.213.9.7", BROKEN_OFF), (NET, COMPLETE)], False),
        ([(f"{LOWER} 10.213.9.7", BROKEN_OFF), ("10.213.0.0/16", COMPLETE)], True),
        # What was left out on purpose is; what was left out whole was not scanned.
        ([(NET, BROKEN_OFF), (NET, COMPLETE, "10.213.0.7")], True),
        ([(LOWER, BROKEN_OFF), (NET, COMPLETE, LOWER)], False),
        ([(NET, BROKEN_OFF), (f"{LOWER} {UPPER}", COMPLETE, UPPER)], False),
        ([(f"{LOWER} {UPPER}", BROKEN_OFF, UPPER), (f"{LOWER} {UPPER}", COMPLETE, UPPER)], True),
        ([(f"{LOWER} {UPPER}", BROKEN_OFF, UPPER), (UPPER, COMPLETE)], False),
        ([(NET, BROKEN_OFF, UPPER), (LOWER, COMPLETE)], True),
        ([(NET, BROKEN_OFF, UPPER), (UPPER, COMPLETE)], False),
        ([(NET, BROKEN_OFF), (NET, BROKEN_OFF, UPPER), (LOWER, COMPLETE)], False),
        # A quick scan does not look where a full one does.
        ([(NET, BROKEN_OFF), (NET, COMPLETE, "", "quick")], False),
        ([(NET, BROKEN_OFF, "", "quick"), (NET, COMPLETE)], True),
        ([("2001:db8::/64", BROKEN_OFF), ("0.0.0.0/0", COMPLETE)], False),
        ([("2001:db8::/64", BROKEN_OFF), ("2001:db8::/65 2001:db8:0:0:8000::/65", COMPLETE)], True),
    ],
)
async def test_a_check_is_complete_once_later_scans_cover_what_was_broken_off(engine, scans, complete):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    rows = [scan(number, *each) for number, each in enumerate(scans)]
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        await connection.execute(insert(production_scans), rows)
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    assert outcome.complete == complete


SMALL = [*NETWORK.subnets(new_prefix=29), *NETWORK.subnets(new_prefix=30), *NETWORK.subnets(new_prefix=31)]


def addresses(networks):
    return {address for each in networks for address in ip_network(each)}


def nowhere(scan):
    return addresses([*scan["excluded"], *scan["not_covered"]])


def is_left(address, missed, number, scans):
    """Whether no later scan looked at an address of a network that one missed: address by address."""
    for later in scans[number + 1 :]:
        left_out = addresses(later["excluded"])
        as_thorough = later["profile"] in {scans[number]["profile"], "full"}
        if not later["complete"] or not as_thorough or addresses([missed]) <= left_out:
            continue
        for target in later["targets"]:
            if address in ip_network(target) and not addresses([target]) <= left_out:
                return False
    return True


def what_is_left(scans, *, ended):
    """What scans that ended as complete left, or the others."""
    for number, each in enumerate(scans):
        if (each["complete"] is COMPLETE) != ended:
            continue
        wanted = addresses(each["targets"]) - addresses(each["excluded"])
        for missed in each["not_covered"] if each["complete"] else each["targets"]:
            for address in addresses([missed]) & wanted:
                if is_left(address, missed, number, scans):
                    yield address


async def report(connection, number, scan):
    """Report a scan as collectors do, so many seconds later."""
    # Not validated: scans that left out all of their targets were stored before they were refused.
    start = ScanStart.model_construct(
        collector="network", targets=scan["targets"], exclude=scan["excluded"], profile=scan["profile"]
    )
    begun = await stored_scans.begin(connection, start, "ada")
    reported = update(production_scans).where(production_scans.c.id == begun.id)
    await connection.execute(reported.values(reported_at=NOW + timedelta(seconds=number)))
    if scan["complete"] is not UNDER_WAY:
        ended = ScanEnd(complete=scan["complete"], not_covered=scan["not_covered"])
        await stored_scans.end(connection, begun, ended, 3)


async def test_random_scans_are_judged_as_address_by_address(engine):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    chance = random.Random(7)
    judged = Counter()
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        for _ in range(400):
            some = [str(chance.choice(SMALL)) for _ in range(chance.randint(1, 5))]
            scans = [
                {
                    "targets": chance.choices(some, k=chance.randint(1, 4)),
                    "complete": chance.choice([COMPLETE, COMPLETE, BROKEN_OFF, UNDER_WAY]),
                    "excluded": chance.choices(some, k=chance.choice([0, 0, 1, 2, 3])),
                    "not_covered": chance.choices(some, k=chance.choice([0, 0, 0, 1, 2])),
                    "profile": chance.choice(["full", "full", "quick"]),
                }
                for _ in range(chance.randint(1, 6))
            ]
            await connection.execute(delete(production_scans))
            for number, each in enumerate(scans):
                await report(connection, number, each)
                if all(addresses([target]) <= nowhere(each) for target in each["targets"]):
                    # Who looked at nothing does not decide that this was a complete scan.
                    each["complete"] = each["complete"] and BROKEN_OFF
            outcome = await repository.production_outcome(connection, seconds=None, packets=None)
            assert outcome.complete == (not list(what_is_left(scans, ended=False))), scans
            not_covered = set(what_is_left(scans, ended=True)) - {ip_address("10.213.0.1")}
            judged[outcome.complete, bool(not_covered)] += 1
            if outcome.complete:
                # Of a network that is covered in part, all counts.
                assert outcome.hosts_left_out >= len(not_covered), scans
                in_networks = addresses(network for each in scans for network in each["not_covered"])
                assert outcome.hosts_left_out <= len(in_networks if not_covered else ()), scans
    of_complete, of_others = ([judged[each, True], judged[each, False]] for each in (True, False))
    assert min(sum(of_complete), sum(of_others)) > 50
    assert min(*of_complete, *of_others) > 10


@pytest.mark.parametrize(
    ("whole", "excluded", "later", "complete", "left_out"),
    [
        (BROKEN_OFF, "", LOWER, False, 0),
        (BROKEN_OFF, "", NET, True, 0),
        # What a complete scan did not reach is to be scanned, unless it was excluded.
        (COMPLETE, "", LOWER, True, 256),
        (COMPLETE, "", UPPER, True, 0),
        (COMPLETE, UPPER, "10.213.9.0/24", True, 0),
        # Halves are the whole.
        (COMPLETE, "10.213.1.0/25 10.213.1.128/25", "10.213.9.0/24", True, 0),
        (COMPLETE, "10.213.1.0/25 10.213.1.128/26", LOWER, True, 256),
        (BROKEN_OFF, "10.213.1.0/25 10.213.1.128/25", LOWER, True, 0),
        (BROKEN_OFF, "10.213.1.0/25 10.213.1.128/26", LOWER, False, 0),
    ],
)
async def test_what_a_scan_did_not_reach_is_to_be_scanned_but_what_it_excluded(
    engine, whole, excluded, later, complete, left_out
):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        first = {"excluded": excluded.split(), "not_covered": [UPPER, "10.213.9.0/24"], "profile": "full"}
        await report(connection, 0, {"targets": [LOWER, UPPER], "complete": whole, **first})
        await connection.execute(insert(production_scans), [scan(9, later, COMPLETE)])
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    assert (outcome.complete, outcome.hosts_left_out) == (complete, left_out)


async def test_a_scanner_that_does_not_scan_itself_leaves_one_address_out(engine):
    found = {"collector": "network", "kind": "host", "data": {}, "confidence": 1}
    itself = {"complete": COMPLETE, "excluded": [], "not_covered": ["10.213.0.1"], "profile": "full"}
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found, key="10.213.0.2"))
        for number in range(3):
            await report(connection, number, itself | {"targets": [LOWER]})
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
        assert (outcome.hosts, outcome.complete, outcome.hosts_left_out) == (1, True, 1)
        # Something was found there, by another collector.
        await connection.execute(
            insert(discoveries).values(**found | {"collector": "snmp"}, key="10.213.0.1")
        )
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
        assert (outcome.hosts, outcome.complete, outcome.hosts_left_out) == (2, True, 0)


@pytest.mark.parametrize("by_both", [False, True])
async def test_what_one_collector_did_not_reach_another_may_have_found(engine, by_both):
    """As in a run's output: the host is found, and what only the other one finds there may be missing."""
    found = [
        {"collector": collector, "kind": "host", "key": key, "data": {}, "confidence": 1}
        for collector, key in (
            ("web", "10.213.0.1"), ("snmp", "10.213.0.2"), ("web", "10.213.0.3"), ("snmp", "10.213.0.1"),
        )[: 4 if by_both else 3]
    ]  # fmt: skip
    row = scan(0, LOWER, COMPLETE) | {"collector": "snmp", "not_covered": ["10.213.0.0/31"]}
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries), found)
        await connection.execute(insert(production_scans).values(row))
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    counted = (outcome.hosts, outcome.hosts_left_out, outcome.hosts_seen_in_part)
    assert (outcome.complete, counted) == (True, (3, 1, 0 if by_both else 1))


async def test_with_more_networks_left_out_than_can_be_listed_a_check_is_incomplete(engine):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        for number in range(MOST_NOT_COVERED + 1):
            outcome = await repository.production_outcome(connection, seconds=None, packets=None)
            assert (outcome.complete, outcome.hosts_left_out) == (True, number)
            how = {"complete": COMPLETE, "excluded": [], "not_covered": [f"10.213.1.{2 * number}"]}
            await report(
                connection, number, how | {"targets": [f"10.213.1.{2 * number}/31"], "profile": "full"}
            )
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    assert (outcome.complete, outcome.hosts_left_out) == (False, 0)


@pytest.mark.parametrize(
    ("excluded", "complete"),
    [("10.213.0.0/25 10.213.0.128/25", False), ("10.213.0.0/25 10.213.0.128/26", True)],
)
async def test_a_scan_that_excludes_all_parts_of_a_target_does_not_cover_it(engine, excluded, complete):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    how = {"complete": COMPLETE, "not_covered": [], "profile": "full"}
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        await connection.execute(insert(production_scans), [scan(0, LOWER, BROKEN_OFF)])
        for number, target in enumerate((NET, LOWER), 1):
            each = how | {"targets": [target], "excluded": excluded.split()}
            await report(connection, number, each)
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    assert outcome.complete == complete


async def test_a_scan_that_ends_while_a_check_counts_leaves_it_incomplete(engine, monkeypatch):
    found = {"collector": "network", "kind": "host", "data": {}, "confidence": 1}
    under_way = scan(0, NET, UNDER_WAY)
    ended = scan(0, NET, COMPLETE) | {"id": under_way["id"]}
    judge = repository.find_uncovered

    async def end_then(connection):
        judged = await judge(connection)
        async with engine.begin() as other:
            await other.execute(insert(discoveries).values(**found, key="10.213.0.2"))
            await other.execute(update(production_scans).values(ended))
        return judged

    monkeypatch.setattr(repository, "find_uncovered", end_then)
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found, key="10.213.0.1"))
        await connection.execute(insert(production_scans).values(under_way))
    async with engine.begin() as connection:
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    assert (outcome.hosts, outcome.complete) == (2, False)


async def test_others_have_a_turn_before_each_scan_is_read(engine, monkeypatch):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    # Each excludes another address, so that no two are one.
    rows = [scan(number, NET, BROKEN_OFF, f"10.213.0.{number}") for number in range(200)]
    without, turns, read_at = completeness.without, 0, set()

    def read(*given):
        read_at.add(turns)
        return without(*given)

    monkeypatch.setattr(completeness, "without", read)

    async def take_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        await connection.execute(insert(production_scans), rows)
        others = asyncio.create_task(take_turns())
        await completeness.find_uncovered(connection)
        others.cancel()
    assert len(read_at) >= len(rows) - 1


async def test_many_scans_that_exclude_different_addresses_are_judged_at_once(engine):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    targets = " ".join(f"10.{number}.0.0/16" for number in range(256))
    rows = [scan(number, targets, COMPLETE, f"10.{number % 256}.9.{number // 256}") for number in range(400)]
    rows.append(scan(-1, "10.0.0.0/8", BROKEN_OFF))
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        await connection.execute(insert(production_scans), rows)
        # Compared each with each, these take minutes.
        async with asyncio.timeout(20):
            uncovered = await completeness.find_uncovered(connection)
    assert not uncovered.broken_off


async def test_of_more_networks_than_are_compared_a_check_is_incomplete_at_once(engine, monkeypatch):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    # Targets that lie in each other have the same networks excluded inside: each counts.
    targets = " ".join(f"10.0.0.0/{bits}" for bits in range(8, 24))
    excluded = " ".join(f"10.0.0.{2 * number}" for number in range(64))
    rows = [scan(number, targets, BROKEN_OFF, f"{excluded} 10.0.0.{129 + 2 * number}") for number in range(4)]
    everything = scan(9, "10.0.0.0/8", COMPLETE)
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        await connection.execute(insert(production_scans), [*rows, everything])
        monkeypatch.setattr(completeness, "MOST_COMPARED", len(rows) * 16 * (1 + 65) + 1)
        assert not (await completeness.find_uncovered(connection)).broken_off
        monkeypatch.setattr(completeness, "MOST_COMPARED", len(rows) * 16 * (1 + 65))
        monkeypatch.setattr(_Scans, "uncovered", None)  # not compared any more
        assert (await completeness.find_uncovered(connection)).broken_off
