import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rehearsals import census, host_class, rehearsal, seen, service

from approval_api.forecasting.chance import Stratum, expect
from approval_api.forecasting.duration import FULL
from approval_api.forecasting.forecast import forecast
from approval_api.forecasting.rehearsals import UnlikeRehearsalsError
from dryrun_contract.observation import Observation, SeenService, SeenTarget
from dryrun_contract.scan_choice import ScanChoice


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    """Points do not depend on them, and intervals have a test of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("approval_api.forecasting.chance._FEWEST", 40)
        patch.setattr("approval_api.forecasting.chance._MOST", 40)
        yield


LEVELS = ("same_version", "same_product", "relative", "banner", "nothing")
PLACES = ("22/tcp", "80/tcp", "443/tcp", "53/udp")
PRODUCTS = ("nginx", "OpenSSH", "Product-1", None)


@st.composite
def rehearsals(draw, *, weights_of_one=False, covered=False) -> Observation:
    classes, targets = [], {}
    levels = LEVELS[:2] if covered else LEVELS
    for number in range(draw(st.integers(1, 6))):
        places = draw(st.lists(st.sampled_from(PLACES), unique=True, max_size=4))
        services = [
            service(place, draw(st.sampled_from(levels)), draw(st.sampled_from(PRODUCTS))) for place in places
        ]
        count = draw(st.integers(1, 3))
        hosts = count if weights_of_one else draw(st.integers(count, 500))
        made = host_class(f"c{number}", hosts, count, *services)
        classes.append(made)
        for target in made.targets:
            targets[target] = SeenTarget(
                found=draw(st.booleans()),
                services={
                    each.place: SeenService(found=draw(st.booleans()), identified=draw(st.booleans()))
                    for each in services
                    if each.level != "nothing" and (covered or draw(st.integers(0, 5)))
                },
                packets=draw(st.integers(0, 10_000)),
                harmed=draw(st.booleans()),
            )
    outside, beyond, more = [], 0, 0
    if not covered:
        outside = [
            (draw(st.integers(1, 90)), service("8443/tcp", draw(st.sampled_from(LEVELS)), "nginx"))
            for _ in range(draw(st.integers(0, 2)))
        ]
        beyond, more = draw(st.integers(0, 9)), draw(st.integers(0, 90))
    counted = census(*classes, outside=outside, beyond=beyond)
    return rehearsal(counted, targets, hosts=sum(each.hosts for each in classes) + more)


@given(rehearsals(weights_of_one=True, covered=True))
@settings(max_examples=60, deadline=None)
def test_weights_of_one_and_everything_covered_give_the_plain_figures(one):
    found = forecast([one])
    hosts = found.kind("host")
    assert (hosts.total, hosts.unknown) == (len(one.targets), 0)
    assert hosts.found.value == pytest.approx(sum(seen.found for seen in one.targets.values()))
    plain = [seen for target in one.targets.values() for seen in target.services.values()]
    services = found.kind("service")
    assert (services is None) == (not plain)
    if services is not None:
        assert (services.total, services.covered, services.unknown) == (len(plain), len(plain), 0)
        assert services.found.value == pytest.approx(sum(each.found for each in plain))
        assert sum(each.found.value for each in found.places) == pytest.approx(services.found.value)
    assert found.quantity("packets").value == pytest.approx(
        sum(target.packets for target in one.targets.values())
    )
    assert found.quantity("seconds").value == pytest.approx(20.0)
    assert found.quantity("harmed").value == pytest.approx(
        sum(target.harmed for target in one.targets.values())
    )


@given(rehearsals())
@settings(max_examples=60, deadline=None)
def test_what_is_not_covered_is_unknown_and_never_found(one):
    found = forecast([one])
    for group in (*found.kinds, *found.places, *found.products):
        assert group.total == group.covered + group.unknown
        assert (group.found is None) == (group.covered == 0)
        if group.found is not None:
            assert 0 <= group.found.low <= group.found.value <= group.found.high <= group.covered + 1e-9
        if group.levels:
            assert sum(group.levels.values()) == group.total
            assert group.levels.get("nothing", 0) == group.unknown
        low, high = group.outcome
        assert low <= (group.found.value if group.found else 0) <= high <= group.total + 1e-9
    services = found.kind("service")
    assert (0 if services is None else services.total) == one.census.total
    assert found.kind("host").total == one.hosts


@given(rehearsals())
@settings(max_examples=20, deadline=None)
def test_the_same_rehearsals_give_the_same_forecast_and_twice_the_same_one_changes_no_point(one):
    once, twice = forecast([one]), forecast([one, one])
    assert forecast([one]) == once
    for before, after in zip(once.kinds, twice.kinds, strict=True):
        assert (before.total, before.unknown) == (after.total, after.unknown)
        if before.found is not None:
            assert after.found.value == pytest.approx(before.found.value)


def test_a_target_weighs_as_many_hosts_as_it_stands_for():
    web, db = host_class("web", 90, 1, service()), host_class("db", 10, 1, service("5432/tcp"))
    found = forecast(
        [rehearsal(census(web, db), {"web-1": seen("443/tcp"), "db-1": seen(missed=["5432/tcp"])})]
    )
    services = found.kind("service")
    assert (services.covered, services.found.value, services.missed.value) == (100, 90, 10)
    assert {group.name: group.found.value for group in found.places} == {"443/tcp": 90, "5432/tcp": 0}


def test_a_relative_speaks_of_the_port_and_not_of_the_product_and_a_banner_of_both():
    made = host_class("a", 3, 1, service("80/tcp", "relative", "Caddy"), service("81/tcp", "banner", "Own"))
    found = forecast([rehearsal(census(made), {"a-1": seen("80/tcp", "81/tcp")})])
    assert found.kind("service").unknown == 0
    assert {group.name: group.unknown for group in found.products} == {"Caddy": 3, "Own": 0}


def test_a_class_without_a_target_is_covered_where_another_runs_its_product_else_unknown():
    made = host_class("a", 2, 1, service())
    alike, other = service("8443/tcp"), service("9000/tcp", "same_version", "Other")
    counted = census(made, outside=[(5, alike), (7, other)])
    found = forecast([rehearsal(counted, {"a-1": seen("443/tcp")}, hosts=14)])
    assert {group.name: (group.covered, group.unknown) for group in found.places} == {
        "9000/tcp": (0, 7),
        "8443/tcp": (5, 0),
        "443/tcp": (2, 0),
    }
    assert found.kind("host").unknown == 12


def test_parts_of_a_network_add_up_to_it():
    web, db = (
        host_class("web", 2, 2, service()),
        host_class("db", 1, 1, service("5432/tcp", product="PostgreSQL")),
    )
    whole = census(web, db)
    parts = [
        rehearsal(
            whole.model_copy(update={"classes": (web,)}),
            {"web-1": seen("443/tcp", packets=10), "web-2": seen("443/tcp", packets=10)},
            hosts=3,
            template="acme-1",
        ),
        rehearsal(
            whole.model_copy(update={"classes": (db,)}),
            {"db-1": seen("5432/tcp", packets=30)},
            hosts=3,
            template="acme-2",
        ),
    ]
    assert forecast(parts[:1]).kind("host").unknown == 1
    both = forecast(parts)
    assert (both.kind("host").unknown, both.kind("service").unknown) == (0, 0)
    assert both.kind("service").found.value == 3
    assert both.quantity("packets").value == pytest.approx(50)


def test_rehearsals_of_two_networks_or_two_ways_to_scan_are_not_put_together():
    made = host_class("a", 2, 1, service())
    one = rehearsal(census(made), {"a-1": seen("443/tcp")})
    with pytest.raises(UnlikeRehearsalsError, match="different networks"):
        forecast([one, one.model_copy(update={"census": census(made, network="nfedcba9876543210")})])
    with pytest.raises(UnlikeRehearsalsError, match="in different ways: network, and network full"):
        forecast([one, one.model_copy(update={"scan": ScanChoice(profile="full")})])
    with pytest.raises(UnlikeRehearsalsError, match="no rehearsal"):
        forecast([])


def test_what_a_log_read_in_part_shows_is_at_least_that_much():
    made, other = host_class("a", 10, 1, service()), host_class("b", 5, 1, service())
    cut = seen("443/tcp", failed_logins=3, log_lines=7, packets=1, log_read_in_part=True)
    whole = seen("443/tcp", failed_logins=2, connections=4, log_lines=7, packets=1)
    found = forecast([rehearsal(census(made, other), {"a-1": cut, "b-1": whole})])
    figures = {each.name: each for each in found.quantities}
    assert {name for name, each in figures.items() if each.at_least} == {"failed_logins", "log_lines"}
    assert figures["failed_logins"].expected.value == pytest.approx(40)
    assert figures["failed_logins"].basis.endswith("; 1 log not searched to the end may have more")
    assert "may have more" not in figures["connections"].basis


def test_hosts_and_services_without_a_target_cost_packets_too():
    small, large = host_class("a", 1, 1, service()), host_class("b", 1, 1, *(service(p) for p in PLACES))
    counted = census(small, large, outside=[(3, service("1/tcp", "nothing", None))])
    targets = {"a-1": seen("443/tcp", packets=1100), "b-1": seen(*PLACES, packets=1400)}
    packets = forecast([rehearsal(counted, targets, hosts=4)]).quantity("packets")
    assert packets.value == pytest.approx(1100 + 1400 + 2 * 1000 + 3 * 100)
    assert packets.low < packets.value < packets.high


def test_more_of_the_same_takes_little_longer_and_a_rate_is_kept_to():
    made = host_class("a", 20, 1, service())
    targets = {"a-1": seen("443/tcp", packets=1000)}
    plain = forecast([rehearsal(census(made), targets)]).quantity("seconds")
    assert 20.0 < plain.value < 25.0
    # 20,000 packets at 500/s.
    slow = forecast([rehearsal(census(made), targets, scan=ScanChoice(max_rate=500))])
    seconds = slow.quantity("seconds")
    assert (seconds.low < seconds.value < seconds.high, seconds.value) == (True, pytest.approx(40.0))
    assert "20,000 packets at 500/s" in next(each.basis for each in slow.quantities if each.name == "seconds")
    fast = forecast([rehearsal(census(made), targets, scan=ScanChoice(max_rate=5000))])
    assert fast.quantity("seconds") == plain


def seconds_of(hosts, targets, seconds):
    made = host_class("a", hosts, targets, service())
    seen_targets = {name: seen("443/tcp", packets=1000) for name in made.targets}
    full = ScanChoice(profile="full")
    return forecast([rehearsal(census(made), seen_targets, scan=full, seconds=seconds)]).quantity("seconds")


def test_what_a_rehearsal_waits_for_is_waited_for_once_however_many_hosts_there_are():
    # The search of 30 hosts is shorter than the wait, and comes before it at the worst.
    short = seconds_of(30, 20, 200.0)
    assert short.value == pytest.approx(200 + 10 * FULL.host / 3)
    assert short.low < 200 < 200 + 10 * FULL.host < short.high


def test_a_network_whose_search_takes_longer_than_the_wait_takes_as_long_as_its_search():
    long = seconds_of(400, 20, 50.0)
    assert 400 * FULL.host < long.value < 50 + 380 * FULL.host


def test_a_rehearsal_of_the_whole_network_is_the_forecast():
    assert seconds_of(3, 3, 50.0).value == pytest.approx(50.0)


def rehearsed_in_parts(*seconds, shared=(), left_out=0, outside=0):
    classes = [host_class(f"c{number}", 20 + left_out, 20, service()) for number, _ in enumerate(seconds)]
    whole = census(*classes, outside=[(outside, service("22/tcp"))] if outside else ())
    return [
        rehearsal(
            whole.model_copy(update={"classes": (made,)}),
            {name: seen("443/tcp", packets=1000) for name in (*made.targets, *shared)},
            hosts=(20 + left_out) * len(classes) + outside,
            template=f"acme-{number}",
            scan=ScanChoice(profile="full"),
            seconds=took,
        )
        for number, (made, took) in enumerate(zip(classes, seconds, strict=True))
    ]


def test_a_network_in_parts_takes_as_long_as_its_longest_part_at_least():
    alone = forecast(rehearsed_in_parts(20.0, 90.0)[1:]).quantity("seconds")
    parts = forecast(rehearsed_in_parts(20.0, 90.0)).quantity("seconds")
    assert parts == alone
    assert parts.low < 90 < parts.value < parts.high


def test_a_part_imported_again_under_another_name_is_the_same_part():
    first, longest = rehearsed_in_parts(20.0, 90.0)
    again = first.model_copy(update={"template": "acme-00"})
    assert forecast([first, longest, again]).quantity("seconds") == forecast([longest]).quantity("seconds")


def test_the_basis_names_a_part_without_a_complete_session():
    first, second = rehearsed_in_parts(20.0, 90.0)
    cut_short = second.model_copy(update={"complete": False})
    basis = next(each.basis for each in forecast([first, cut_short]).quantities if each.name == "seconds")
    assert basis.endswith("; without acme-1: no session scanned to its end")
    again = second.model_copy(update={"seconds": 80.0, "template": "acme-01"})
    whole = next(
        each.basis for each in forecast([first, cut_short, again]).quantities if each.name == "seconds"
    )
    assert "without" not in whole


def test_samples_are_averaged_whether_they_share_a_target_or_not():
    for shared, left_out, outside in (((), 5, 0), (("c0-1", "c1-1"), 5, 0), (("c0-1",), 0, 0), ((), 0, 1)):
        samples = rehearsed_in_parts(20.0, 90.0, shared=shared, left_out=left_out, outside=outside)
        alone = [forecast([one]).quantity("seconds").value for one in samples]
        assert forecast(samples).quantity("seconds").value == pytest.approx(sum(alone) / 2)


def test_the_basis_of_a_duration_says_what_was_scanned_and_what_is_added():
    made = host_class("a", 22, 2, service())
    targets = {name: seen("443/tcp") for name in made.targets}
    one = rehearsal(census(made), targets, scan=ScanChoice(profile="full"), seconds=50.0)
    basis = next(each.basis for each in forecast([one]).quantities if each.name == "seconds")
    assert basis == "50.0 s for 2 targets; 10.7 s more for all 22 hosts with 22 services"


def test_a_forecast_says_by_which_collectors_and_profile_it_holds():
    made = host_class("a", 2, 1, service())
    scan = ScanChoice(profile="full", max_rate=500)
    known = forecast([rehearsal(census(made), {"a-1": seen("443/tcp")}, scan=scan)])
    assert known.collectors
    assert known.scanned_by == f"{', '.join(known.collectors)}; profile full; 500 packets/s at most"


def test_what_no_session_measured_has_no_expectation():
    made = host_class("a", 2, 1, service())
    found = forecast([rehearsal(census(made), {"a-1": seen("443/tcp")}, seconds=None)])
    measured = {each.name for each in found.quantities if each.expected is not None}
    assert measured == {"harmed"}
    cut_short = rehearsal(census(made), {"a-1": seen("443/tcp")}, complete=False)
    assert forecast([cut_short]).quantity("seconds") is None


def _share_inside(shares, rounds=120) -> float:
    """Return how often the outcome of a network lies in the interval; each class has a share of `shares`."""
    chance = random.Random(7)
    inside = 0
    for _ in range(rounds):
        strata, outcome = [], 0
        for _ in range(chance.randint(8, 20)):
            hosts = chance.choice([1, 1, 1, 2, 3, 5, 10, 20])
            targets = min(hosts, chance.choice([1, 1, 1, 2, 3]))
            share = shares(chance)
            strata.append(Stratum(hosts, sum(chance.random() < share for _ in range(targets)), targets))
            outcome += sum(chance.random() < share for _ in range(hosts))
        found = expect(strata, [("all",)] * len(strata))["all"]
        inside += found.low <= outcome <= found.high
    return inside / rounds


@pytest.mark.parametrize(
    ("shares", "least"),
    [
        (lambda chance: float(chance.random() < 0.9), 0.9),
        (lambda chance: chance.choice([1, 1, 1, 1, 1, 1, 0, chance.random()]), 0.88),
        (lambda chance: chance.betavariate(19, 1), 0.8),
        (lambda chance: chance.betavariate(2, 2), 0.75),
    ],
    ids=["all or nothing", "mostly", "each rarely missed", "each now and then"],
)
def test_intervals_contain_the_outcome_about_as_often_as_they_say(monkeypatch, shares, least):
    monkeypatch.setattr("approval_api.forecasting.chance._FEWEST", 200)
    assert _share_inside(shares) >= least
