"""Which scans of production make a check incomplete: those broken off that no later ones cover."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, update

from approval_api.checks import repository
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


def is_left(address, target, broken_off, scans):
    """Whether no later scan looked at an address of a target that was broken off: address by address."""
    for later in scans:
        left_out = list(map(ip_network, later["excluded"]))
        is_later = later["complete"] and later["reported_at"] > broken_off["reported_at"]
        if not is_later or later["profile"] not in {broken_off["profile"], "full"}:
            continue
        if any(target.subnet_of(each) for each in left_out):
            continue
        for part in map(ip_network, later["targets"]):
            if address in part and not any(part.subnet_of(each) for each in left_out):
                return False
    return True


def what_is_left(scans):
    for broken_off in scans:
        left_out = list(map(ip_network, broken_off["excluded"]))
        for target in map(ip_network, broken_off["targets"]):
            if broken_off["complete"] or any(target.subnet_of(each) for each in left_out):
                continue
            for address in target:
                excluded = any(address in each for each in left_out)
                if not excluded and is_left(address, target, broken_off, scans):
                    yield address


async def test_random_scans_are_judged_as_address_by_address(engine):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    chance = random.Random(7)
    judged = Counter()
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        for _ in range(400):
            some = [str(chance.choice(SMALL)) for _ in range(chance.randint(1, 5))]
            scans = [
                scan(
                    number,
                    " ".join(chance.choices(some, k=chance.randint(1, 4))),
                    chance.choice([COMPLETE, COMPLETE, BROKEN_OFF, UNDER_WAY]),
                    " ".join(chance.choices(some, k=chance.choice([0, 0, 1, 2]))),
                    chance.choice(["full", "full", "quick"]),
                )
                for number in range(chance.randint(1, 6))
            ]
            await connection.execute(delete(production_scans))
            for each in scans:
                await connection.execute(insert(production_scans).values(each))
            outcome = await repository.production_outcome(connection, seconds=None, packets=None)
            assert outcome.complete == (not list(what_is_left(scans))), scans
            judged[outcome.complete] += 1
    assert min(judged[True], judged[False]) > 50


async def test_what_a_scan_that_was_broken_off_did_not_reach_is_not_what_it_left_out(engine):
    found = {"collector": "network", "kind": "host", "key": "10.213.0.1", "data": {}, "confidence": 1}
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found))
        start = ScanStart(collector="network", targets=(LOWER, UPPER), profile="full")
        begun = await stored_scans.begin(connection, start, "ada")
        await stored_scans.end(connection, begun, ScanEnd(complete=False, not_covered=(UPPER,)), 3)
        await connection.execute(insert(production_scans), [scan(9, LOWER, COMPLETE)])
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    assert not outcome.complete


async def test_a_scan_that_ends_while_a_check_counts_leaves_it_incomplete(engine, monkeypatch):
    found = {"collector": "network", "kind": "host", "data": {}, "confidence": 1}
    under_way = scan(0, NET, UNDER_WAY)
    ended = scan(0, NET, COMPLETE) | {"id": under_way["id"]}
    judge = repository.is_complete

    async def end_then(connection):
        judged = await judge(connection)
        async with engine.begin() as other:
            await other.execute(insert(discoveries).values(**found, key="10.213.0.2"))
            await other.execute(update(production_scans).values(ended))
        return judged

    monkeypatch.setattr(repository, "is_complete", end_then)
    async with engine.begin() as connection:
        await connection.execute(insert(discoveries).values(**found, key="10.213.0.1"))
        await connection.execute(insert(production_scans).values(under_way))
    async with engine.begin() as connection:
        outcome = await repository.production_outcome(connection, seconds=None, packets=None)
    assert (outcome.hosts, outcome.complete) == (2, False)
