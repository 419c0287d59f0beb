import pytest
from dns_server import ZONE, FakeDns

from discovery_collectors.collectors.directory import dns_zones, zone_search
from discovery_collectors.collectors.directory.dns_zones import possible_zones
from discovery_collectors.collectors.directory.zone_search import ZoneSearch
from discovery_collectors.running.scope import Scope
from discovery_collectors.running.server_time import ServerTime

HERE = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(dns_zones, "ANSWER_SECONDS", 0.3)


async def search(server, *names):
    """Return the copies by their zone, and the warnings."""
    copies, warnings = {}, []
    async with server.running() as port:
        asked = ZoneSearch(
            HERE,
            port,
            ServerTime(60, None),
            lambda zone, copy: copies.update({str(zone): copy}),
            warnings.append,
        )
        await asked.own_name()
        await asked.run(possible_zones(names, []))
    return copies, warnings


async def test_an_ordinary_search_has_nothing_to_say():
    copies, warnings = await search(
        FakeDns(), "www.corp.example", *(f"h{n}.corp.example" for n in range(400))
    )
    assert list(copies) == ["corp.example."]
    assert warnings == []


async def test_names_that_are_not_asked_for_are_said(monkeypatch):
    monkeypatch.setattr(zone_search, "MAX_NAMES_ASKED", 5)
    server = FakeDns()
    _, warnings = await search(server, *(f"h{n}.other.example" for n in range(5)))
    assert len(server.questions("SOA")) == 5
    assert warnings == ["more than 5 names that may be zones; the first 5 are asked for"]


async def test_as_many_names_as_are_asked_for_are_all(monkeypatch):
    monkeypatch.setattr(zone_search, "MAX_NAMES_ASKED", 6)
    assert (await search(FakeDns(), *(f"h{n}.other.example" for n in range(5))))[1] == []


async def test_zones_that_are_not_copied_are_said_once(monkeypatch):
    monkeypatch.setattr(zone_search, "MAX_COPIES", 2)
    kept = [f"z{number}.example" for number in range(4)]
    server = FakeDns(kept=[f"{name}." for name in kept])
    _, warnings = await search(server, *kept)
    assert len(server.questions("AXFR")) == 2
    assert warnings == ["more than 2 zones held; the first 2 are asked for a copy"]


async def test_delegated_zones_come_before_names_that_may_be_zones(monkeypatch):
    monkeypatch.setattr(zone_search, "MAX_NAMES_ASKED", 2)
    server = FakeDns()
    await search(server, "corp.example", *(f"z{number}.example" for number in range(9)))
    assert server.questions("SOA") == ["corp.example.", "branch.corp.example."]


async def test_a_name_inside_a_delegated_zone_may_still_be_one():
    server = FakeDns(kept=["shop.branch.corp.example."])
    await search(server, "shop.branch.corp.example")
    assert server.questions("AXFR")[-1] == "shop.branch.corp.example."


async def test_delegated_zones_beyond_those_kept_are_said(monkeypatch):
    monkeypatch.setattr(dns_zones, "_CHILDREN", 3)
    records = ZONE + "".join(f"z{number} 3600 IN NS ns1\n" for number in range(3))
    copies, warnings = await search(FakeDns(records=records), "corp.example")
    assert len(copies["corp.example."].children) == 3
    assert warnings == ["more than 3 zones delegated by corp.example; the first 3 are asked for"]
    # Two servers of one zone are one zone.
    records = ZONE + "branch 3600 IN NS ns2\nb 3600 IN NS ns1\nc 3600 IN NS ns1\n"
    assert (await search(FakeDns(records=records), "corp.example"))[1] == []


async def test_a_copy_that_breaks_off_is_reported_as_far_as_it_came():
    copies, warnings = await search(FakeDns(breaks_off=True), "corp.example")
    assert (copies["corp.example."].records, copies["corp.example."].complete) == (5, False)
    assert warnings[0].startswith("the copy of corp.example is not read to its end: ")


async def test_a_question_that_was_lost_is_asked_again():
    server = FakeDns(silences=["corp.example."])
    copies, warnings = await search(server, "a.example", "corp.example")
    assert (list(copies), warnings) == (["corp.example."], [])


async def test_names_about_which_the_server_stays_silent_are_said():
    server = FakeDns(silences=["b.example."] * 2)
    assert (await search(server, "a.example", "b.example", "c.example"))[1] == ["no answer about b.example"]
    server = FakeDns(silences=["b.example.", "c.example.", "d.example."] * 2)
    names = [f"{letter}.example" for letter in "abcdef"]
    assert (await search(server, *names))[1] == [
        "no answer about b.example, c.example, d.example; 2 other names that may be zones are not asked for"
    ]
