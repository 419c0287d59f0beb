"""A forecast beside what production found, at more places than a forecast lists."""

import pytest
from made_rehearsals import census, host_class, rehearsal, service

from approval_api.checks.worker import check, forecast_from
from dryrun_contract.check import Comparison
from dryrun_contract.network_forecast import MOST_GROUPS, NetworkForecast
from dryrun_contract.observation import SeenService, SeenTarget
from dryrun_contract.production_counts import ProductionCounts

NUMBER = 400
PLACES = {f"{port}/tcp": f"product {port}" for port in range(1000, 1000 + NUMBER)}


@pytest.fixture
def seen(monkeypatch):
    """A rehearsal of two hosts with 400 services together, all of which were found and named."""
    for name in ("_FEWEST", "_MOST"):
        monkeypatch.setattr(f"approval_api.forecasting.chance.{name}", 40)
    services = [service(place, product=product) for place, product in PLACES.items()]
    classes = [host_class(name, 1, 1, *part) for name, part in (("a", services[:200]), ("b", services[200:]))]
    targets = {
        target: SeenTarget(
            found=True,
            services={each.place: SeenService(found=True, identified=True) for each in made.services},
        )
        for made in classes
        for target in made.targets
    }
    return rehearsal(census(*classes), targets)


def test_every_place_and_product_of_the_census_counts_and_the_most_frequent_are_listed(seen):
    observation = seen.model_dump_json().encode()
    known = NetworkForecast.model_validate_json(forecast_from(observation)[0])
    assert (len(known.places), len(known.products)) == (MOST_GROUPS, MOST_GROUPS)

    outcome = ProductionCounts(
        hosts=2, places=dict.fromkeys(PLACES, 1), products=dict.fromkeys(PLACES.values(), 1)
    )
    found = Comparison.model_validate_json(check(outcome.model_dump_json().encode(), observation)[0])
    kinds = {each.name: (each.outcome, each.beyond, each.within) for each in found.of("kind")}
    assert kinds == {"host": (2, 0, True), "service": (NUMBER, 0, True), "product": (NUMBER, 0, True)}
    assert found.not_in_inventory == {}
    assert (len(found.of("place")), len(found.of("product"))) == (MOST_GROUPS, MOST_GROUPS)


def test_a_check_says_why_there_is_no_forecast(seen):
    other = seen.model_copy(update={"census": census(network="nfedcba9876543210")})
    words = (each.model_dump_json().encode() for each in (ProductionCounts(hosts=1), seen, other))
    found, why = check(*words)
    assert not found
    assert b"different networks" in why


@pytest.mark.parametrize("left_out", [0, 5])
def test_an_outcome_that_left_something_out_judges_nothing_that_it_may_belong_to(seen, left_out):
    observation = seen.model_dump_json().encode()
    shown = list(PLACES)[:-10]
    outcome = ProductionCounts(
        hosts=2,
        places=dict.fromkeys(shown, 1),
        products={PLACES[place]: 1 for place in shown},
        others=left_out,
        other_products=left_out,
    )
    found = Comparison.model_validate_json(check(outcome.model_dump_json().encode(), observation)[0])
    assert (found.places_left_out, found.products_left_out) == (left_out, left_out)
    kinds = {each.name: each.within for each in found.of("kind")}
    expected = None if left_out else False
    assert kinds == {"host": True, "service": expected, "product": expected}
    for what in ("place", "product"):
        verdicts = {each.within for each in found.of(what) if not each.outcome}
        assert verdicts <= {expected}
        assert all(each.within for each in found.of(what) if each.outcome == each.total)


def test_a_product_counts_for_itself_also_where_another_one_is_called_so():
    services = [service("80/tcp", product="alpha"), service("81/tcp", product="beta")]
    called = {
        "80/tcp": SeenService(found=True, identified=True, called="beta"),
        "81/tcp": SeenService(found=True, identified=True),
    }
    made = host_class("web", 1, 1, *services)
    targets = {target: SeenTarget(found=True, services=called) for target in made.targets}
    observation = rehearsal(census(made), targets).model_dump_json().encode()
    for products in ({"alpha": 1, "beta": 1}, {"beta": 1}):
        outcome = ProductionCounts(hosts=1, places={"80/tcp": 1, "81/tcp": 1}, products=products)
        found = Comparison.model_validate_json(check(outcome.model_dump_json().encode(), observation)[0])
        counted = {each.name: each.outcome for each in found.of("product")}
        assert counted == {"alpha": products.get("alpha", 0), "beta": 1}


@pytest.mark.parametrize(
    ("reported", "counted"),
    [
        ({"AcmeD": 2, "acmed": 1}, {"AcmeD": 2, "acmed": 1}),
        ({"AcmeD": 2}, {"AcmeD": 2, "acmed": 0}),
        ({"acmed": 1}, {"AcmeD": 0, "acmed": 1}),
        ({"ACMED": 2}, {"AcmeD": 2, "acmed": 0}),
    ],
)
def test_of_products_that_differ_in_case_only_each_counts_for_itself_and_else_for_the_most_frequent(
    reported, counted
):
    often, once = service("80/tcp", product="AcmeD"), service("80/tcp", product="acmed")
    made = [host_class("many", 2, 1, often), host_class("one", 1, 1, once)]
    called = {"80/tcp": SeenService(found=True, identified=True)}
    targets = {target: SeenTarget(found=True, services=called) for each in made for target in each.targets}
    observation = rehearsal(census(*made), targets).model_dump_json().encode()
    outcome = ProductionCounts(hosts=3, places={"80/tcp": 3}, products=reported)
    found = Comparison.model_validate_json(check(outcome.model_dump_json().encode(), observation)[0])
    assert {each.name: each.outcome for each in found.of("product")} == counted


@pytest.fixture
def judged(monkeypatch):
    """Check a run of a network of three hosts, each with SSH and a web server, all of which are found."""
    for name in ("_FEWEST", "_MOST"):
        monkeypatch.setattr(f"approval_api.forecasting.chance.{name}", 40)
    made = host_class("a", 3, 3, service("22/tcp", product="OpenSSH"), service("443/tcp", product="nginx"))
    services = {each.place: SeenService(found=True, identified=True) for each in made.services}
    targets = {target: SeenTarget(found=True, services=services) for target in made.targets}
    observation = rehearsal(census(made), targets).model_dump_json().encode()

    def judged(**outcome):
        counts = ProductionCounts(**outcome).model_dump_json().encode()
        found = Comparison.model_validate_json(check(counts, observation)[0])
        return found, {each.name: each.within for each in found.groups}

    return judged


def test_what_a_run_did_not_look_at_is_not_missed(judged):
    two = {"hosts": 2, "places": {"22/tcp": 2, "443/tcp": 2}, "products": {"OpenSSH": 2, "nginx": 2}}
    names = ("service", "product", "22/tcp", "443/tcp", "OpenSSH", "nginx")
    assert judged(**two)[1] == dict.fromkeys(names, False) | {"host": True}
    found, verdicts = judged(**two, hosts_left_out=1)
    assert verdicts == dict.fromkeys(names) | {"host": True}
    assert (found.hosts_left_out, found.explained_by) == (1, {})


def test_of_a_host_that_one_collector_did_not_look_at_only_services_may_be_left_out(judged):
    three = {"hosts": 3, "places": {"22/tcp": 2, "443/tcp": 2}, "products": {"OpenSSH": 2, "nginx": 2}}
    names = ("service", "product", "22/tcp", "443/tcp", "OpenSSH", "nginx")
    assert judged(**three)[1] == dict.fromkeys(names, False) | {"host": True}
    found, verdicts = judged(**three, hosts_seen_in_part=1)
    assert verdicts == dict.fromkeys(names) | {"host": True}
    assert (found.hosts_left_out, found.hosts_seen_in_part) == (0, 1)
    # The host itself is no excuse for another one that is missing.
    assert judged(**three | {"hosts": 0}, hosts_seen_in_part=1)[1]["host"] is False


@pytest.mark.parametrize(
    ("took", "left_out", "within"),
    [
        (lambda whole: 0, 0, False),
        (lambda whole: 0, 1, False),
        (lambda whole: 0, 3, None),
        (lambda whole: 0.9 * whole.low, 0, False),
        (lambda whole: 0.9 * whole.low, 1, None),
        (lambda whole: whole.value, 0, True),
        (lambda whole: whole.value, 3, None),
        (lambda whole: 1.1 * whole.high, 3, False),
    ],
)
def test_what_a_run_took_is_within_only_whatever_it_did_not_look_at(judged, took, left_out, within):
    (whole,) = judged(hosts=3, seconds=0)[0].quantities
    found, _ = judged(hosts=0, seconds=took(whole.predicted), hosts_left_out=left_out)
    assert [(each.name, each.within) for each in found.quantities] == [("seconds", within)]


def test_a_run_that_looked_at_nothing_is_within_nothing(judged):
    assert judged(hosts=0, seconds=0, hosts_left_out=3)[0].judged == ()


def test_what_one_host_cannot_explain_is_missed_all_the_same(judged):
    found, verdicts = judged(hosts=0, places={"22/tcp": 3}, products={"OpenSSH": 3}, hosts_left_out=1)
    # Of each port, one host has one; of all services, two.
    assert verdicts["host"] is verdicts["443/tcp"] is verdicts["service"] is False
    assert verdicts["22/tcp"] is verdicts["OpenSSH"] is True
    assert "443/tcp: 3 expected, 0 found" in found.explained_by["service"]


def test_a_host_that_no_target_stands_for_may_have_a_service_at_each_place():
    made = host_class("a", 1, 1, service())
    outside = [(2, service("22/tcp")), (1, service("22/tcp", product="b")), (1, service("25/tcp"))]
    assert census(made).most_on_a_host == 1
    assert census(made, outside=outside, beyond=3).most_on_a_host == 2 + 3
