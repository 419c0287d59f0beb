import pytest

from dryrun_contract.collector_config import CONFIG_KEYS
from dryrun_contract.scan_choice import ScanChoice
from dryrun_orchestrator.catalog.allowlist import AllowedImage
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifests
from dryrun_orchestrator.catalog.scan_choice import ScanChoiceError, chosen_collectors

IMAGE = AllowedImage("discovery/test-collector-network:1", f"sha256:{'1' * 64}", frozenset(CONFIG_KEYS))


def manifest(name, *, provides=("service",), needs=(), **fields):
    return CollectorManifest(
        name, IMAGE, "", frozenset(provides), frozenset(needs), 60, fields.pop("profile", "quick"), **fields
    )


NETWORK = manifest("network", max_rate=500)
SLOWER = manifest("network-2")
DATABASE = manifest("database", provides=["table"], needs=["service"])
NMAP = manifest("nmap", arguments=("{cidr}",), purpose="comparison")
PACED = manifest("masscan", arguments=("{rate}", "{cidr}"), max_rate=900, purpose="comparison")
INSTALLED = CollectorManifests({each.name: each for each in (NETWORK, SLOWER, DATABASE, NMAP, PACED)})


def choose(**choice):
    return chosen_collectors((NETWORK, DATABASE), INSTALLED, ScanChoice(**choice))


def faults(**choice):
    with pytest.raises(ScanChoiceError) as refused:
        choose(**choice)
    return [f"{fault.where}: {fault.what}" for fault in refused.value.faults]


def test_without_a_choice_the_templates_own_collectors_run_as_installed():
    assert choose() == (NETWORK, DATABASE)


def test_named_collectors_run_in_place_of_the_templates_in_the_order_of_their_needs():
    assert [each.name for each in choose(collectors=["database", "network-2"])] == ["network-2", "database"]


def test_a_profile_is_for_all_that_read_one():
    chosen = choose(collectors=["network", "nmap"], profile="full")
    assert {each.name: each.profile for each in chosen} == {"network": "full", "nmap": "quick"}


def test_a_rate_stays_within_what_every_manifest_allows():
    assert [each.max_rate for each in choose(max_rate=500)] == [500, 500]
    assert faults(max_rate=501) == [
        "scan.max_rate: 501 packets per second are more than the manifest of network allows (500)"
    ]


def test_a_foreign_collector_takes_a_rate_where_an_argument_holds_it():
    chosen = choose(collectors=["masscan", "nmap"], max_rate=800)
    assert {each.name: each.max_rate for each in chosen} == {"masscan": 800, "nmap": None}
    assert choose(collectors=["masscan"])[0].max_rate == 900
    assert faults(collectors=["masscan"], max_rate=901) == [
        "scan.max_rate: 901 packets per second are more than the manifest of masscan allows (900)"
    ]


def test_what_cannot_have_an_effect_is_refused():
    assert faults(collectors=["nmap"], profile="full", max_rate=10) == [
        "scan.profile: none of the collectors has profiles",
        "scan.max_rate: none of the collectors takes a rate",
    ]


def test_what_is_not_installed_is_named_with_what_is():
    unknown, twice = faults(collectors=["netwrok", "nmap", "nmap"])
    assert unknown == (
        "scan.collectors: no collector netwrok is installed; did you mean network? "
        "Installed are: database, masscan, network, network-2, nmap"
    )
    assert twice == "scan.collectors: names a collector twice"
    [unlike] = faults(collectors=["zzz"])
    assert unlike.startswith("scan.collectors: no collector zzz is installed. Installed are: database, ")


def test_a_collector_whose_needs_nobody_meets_is_refused():
    assert faults(collectors=["database"]) == [
        "scan.collectors: the collector database needs service, which no other of these collectors provides"
    ]


def test_a_collector_for_comparison_counts_when_it_is_compared_with_nothing():
    (alone,) = choose(collectors=["nmap"])
    assert alone.purpose == "discovery"
    beside = choose(collectors=["nmap", "network"])
    assert {each.name: each.purpose for each in beside} == {"network": "discovery", "nmap": "comparison"}
