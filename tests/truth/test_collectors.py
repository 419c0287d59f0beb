"""The collectors' images find what a small network holds, report no stored value, and stop when asked."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
from collector_container import (
    ACCEPTED_SECONDS,
    Found,
    by_service,
    collect,
    collector,
    discoveries,
    matches,
    said,
)
from target_container import TargetContainer, allowed, docker, internal_network, running, template

pytestmark = [pytest.mark.engine, pytest.mark.long(90)]

SMALL = template("small")
NETWORK = "discovery/test-collector-network:1.0"
DATABASE = "discovery/test-collector-database:1.0"


@pytest.fixture(scope="module")
def small() -> Iterator[tuple[str, Mapping[str, TargetContainer]]]:
    """Return the network's name and its targets by service."""
    with ExitStack() as stack:
        network = stack.enter_context(internal_network())
        started = {
            name: stack.enter_context(running(service["image"], network))
            for name, service in SMALL["services"].items()
        }
        for target in started.values():
            target.wait_until_healthy()
        yield network, started


def truth(*, hard: bool) -> Found:
    """Return the template's facts; `hard`: with those a good collector may miss."""
    facts: Found = {}
    for name, service in SMALL["services"].items():
        known = allowed(service["image"])["facts"]
        for item in service["x-ground-truth"]:
            if hard or "hard" not in item or "product" in item.get("data", {}):
                data = item.get("data", {})
                facts[item["kind"], name + item["key"]] = {
                    key: known[value["fact"]] if isinstance(value, dict) else value
                    for key, value in data.items()
                }
    return facts


@pytest.fixture(scope="module")
def collected(small: tuple[str, Mapping[str, TargetContainer]]) -> tuple[Found, Found, str]:
    """Return what each collector found, by service, and everything both wrote."""
    network, targets = small
    lines, wrote = collect(NETWORK, network)
    services = [
        {key: line[key] for key in ("kind", "key", "data", "confidence")}
        for line in lines
        if line.get("kind") == "service"
    ]
    credentials = SMALL["x-dryrun"]["credentials"]
    inside, wrote_inside = collect(DATABASE, network, credentials=credentials, discoveries=services)
    return (
        by_service(discoveries(lines), targets, network),
        by_service(discoveries(inside), targets, network),
        wrote + wrote_inside,
    )


def test_together_they_find_every_fact_that_is_not_hard(collected: tuple[Found, Found, str]) -> None:
    network, database, _ = collected
    missed = ("web:18734/tcp",)
    for place, expected in truth(hard=False).items():
        if place[1] in missed:
            continue
        reported = network.get(place, {}) | database.get(place, {})
        assert place in network or place in database, place
        for attribute, value in expected.items():
            assert matches(value, reported.get(attribute)), (place, attribute, reported)


def test_they_report_no_false_positive(collected: tuple[Found, Found, str]) -> None:
    network, database, _ = collected
    assert set(network) | set(database) <= set(truth(hard=True))


def test_reports_a_credential_that_does_not_work(collected: tuple[Found, Found, str]) -> None:
    reported = collected[1]["service", "cache:6379/tcp"]
    assert (reported["access"], "password" in reported["reason"]) == ("refused", True)


def test_reports_the_structure_of_a_table_that_the_credential_may_not_read(
    collected: tuple[Found, Found, str],
) -> None:
    assert collected[1]["table", "db:5432/tcp/shop/public/payment_cards"]["rows"] == 100


def test_no_stored_value_and_no_password_leaves(
    collected: tuple[Found, Found, str], small: tuple[str, Mapping[str, TargetContainer]]
) -> None:
    db, docs = small[1]["db"], small[1]["docs"]
    sql = "SELECT full_name, email, phone FROM customers UNION "
    sql += "SELECT card_number, expires, '-' FROM payment_cards"
    values = db.execute("psql", "-XAtq", "-F", "\n", "-d", "shop", "-c", sql).split("\n")
    read = "import pymongo; found = pymongo.MongoClient().catalog.reviews.find()"
    values += docs.execute(
        "python3", "-c", f"{read}; [print(*each.values(), sep='\\n') for each in found]"
    ).split("\n")
    values += [login["password"] for login in SMALL["x-dryrun"]["credentials"]]
    telling = {value for value in values if len(value) > 5}
    assert len(telling) > 500
    assert [value for value in telling if value in collected[2]] == []


def test_the_full_profile_finds_the_unusual_port(small: tuple[str, Mapping[str, TargetContainer]]) -> None:
    network, targets = small
    with collector(NETWORK, network, profile="full") as container:
        assert docker("wait", container, seconds=150).strip() == "0"
        lines = [json.loads(line) for line in docker("logs", container).splitlines()]
    found = by_service(discoveries(lines), targets, network)
    assert found["service", "web:18734/tcp"]["product"] == "nginx"


@pytest.mark.parametrize(
    ("image", "user", "capabilities"), [(NETWORK, "root", ["NET_RAW"]), (DATABASE, "collector", [])]
)
def test_images_run_with_no_more_rights_than_they_need(
    image: str, user: str, capabilities: list[str]
) -> None:
    entry = allowed(image)
    assert json.loads(docker("image", "inspect", entry["id"]))[0]["Config"]["User"] == user
    assert (entry["capabilities"], entry["read_only"]) == (capabilities, True)


def test_a_stopped_collector_ends_at_once_without_an_end_line(
    small: tuple[str, Mapping[str, TargetContainer]],
) -> None:
    with collector(NETWORK, small[0], profile="full") as container:
        deadline = time.monotonic() + ACCEPTED_SECONDS
        while '"looking for open ports"' not in docker("logs", container) and time.monotonic() < deadline:
            time.sleep(0.1)
        begun = time.monotonic()
        docker("stop", "--time=10", container)
        assert time.monotonic() - begun < 5
        assert json.loads(docker("inspect", container))[0]["State"]["ExitCode"] == 143
        assert '"end"' not in docker("logs", container)


def test_a_wrong_configuration_is_reported_on_standard_error(
    small: tuple[str, Mapping[str, TargetContainer]],
) -> None:
    with collector(DATABASE, small[0], cidr="db.example") as container:
        assert docker("wait", container, seconds=ACCEPTED_SECONDS).strip() == "2"
        assert "'db.example' is not an IPv4 address or network" in said(container)
        assert docker("logs", container) == ""
