import re

import pytest

from dryrun_contract.environment import SettingsError
from dryrun_orchestrator.settings import Settings

ENVIRON = {
    "ORCHESTRATOR_TOKEN": "a-token-of-sixteen",
    "ORCHESTRATOR_STATE_DIR": "/state",
    "ORCHESTRATOR_TEMPLATES_DIR": "/templates",
    "ORCHESTRATOR_COLLECTORS_DIR": "/collectors",
    "ORCHESTRATOR_ALLOWLIST": "/allowlist.json",
}


def test_docker_host_is_the_standard_variable():
    assert Settings.read({**ENVIRON, "DOCKER_HOST": "tcp://proxy:2375"}).docker_host == "tcp://proxy:2375"


def test_every_wrong_variable_is_named_at_once():
    with pytest.raises(SettingsError) as caught:
        Settings.read({"ORCHESTRATOR_TOKEN": "short", "ORCHESTRATOR_SESSION_SECONDS": "3600"})
    for name in ("TOKEN", "SESSION_SECONDS", "STATE_DIR", "TEMPLATES_DIR", "COLLECTORS_DIR", "ALLOWLIST"):
        assert f"ORCHESTRATOR_{name}:" in str(caught.value)
    assert "short" not in str(caught.value).replace("shorter", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUBNET_POOL", "8.8.8.0/24"),
        ("SUBNET_POOL", "10.0.0.0/28"),
        ("LISTEN", "8471"),
        ("SUBNET_PREFIX", "30"),
    ],
)
def test_a_setting_outside_its_range_is_refused(name, value):
    with pytest.raises(SettingsError):
        Settings.read({**ENVIRON, f"ORCHESTRATOR_{name}": value})


def test_the_token_does_not_show_in_a_representation():
    assert "a-token-of-sixteen" not in repr(Settings.read(ENVIRON))


def test_the_pool_is_read_with_its_bounds():
    read = Settings.read({**ENVIRON, "ORCHESTRATOR_POOL": "small=1, medium:1000=1"})
    assert [(each.template, each.seed, each.count) for each in read.pool] == [
        ("small", 0, 1),
        ("medium", 1000, 1),
    ]
    assert read.least_left.total_seconds() == 900
    assert Settings.read({**ENVIRON, "ORCHESTRATOR_POOL": ""}).pool == ()
    networks, sessions = Settings.read({**ENVIRON, "ORCHESTRATOR_POOL": "*=1,small=1"}).pool
    assert [(each.template, each.count) for each in (networks, sessions)] == [("*", 1), ("small", 1)]


def test_what_is_claimed_of_any_template_has_most_of_a_sessions_time_left():
    read = Settings.read(ENVIRON)
    assert (read.least_left_of("small").total_seconds(), read.least_left_of("*").total_seconds()) == (
        900,
        1450,
    )
    shortest = Settings.read({**ENVIRON, "ORCHESTRATOR_SESSION_SECONDS": "5"})
    assert shortest.least_left_of("*") < shortest.session_duration - shortest.cleanup_lead


@pytest.mark.parametrize(
    "pool",
    [
        "small",
        "small=0",
        "small=3",
        "small=1,small:0=1",
        "small:10000=1",
        "../x=1",
        "small=1;x=1",
        "*=3",
        "*:1=1",
        "*:0=1",
        "*",
        "**=1",
        "*=1,*=1",
        "s*=1",
        "small=1,*=2",
    ],
)
def test_a_pool_that_cannot_be_is_refused_by_its_name(pool):
    with pytest.raises(SettingsError, match=r"^ORCHESTRATOR_POOL: ") as caught:
        Settings.read({**ENVIRON, "ORCHESTRATOR_POOL": pool})
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ("10.231.0.1/16", "10.231.0.1/16 has host bits set; write 10.231.0.0/16 for the network or"),
        ("10.231.0.0/33", "'10.231.0.0/33' does not appear to be an IPv4 or IPv6 network"),
        ("fd00::/64", "fd00::/64 is not a network of IPv4"),
    ],
)
def test_a_pool_of_subnets_that_cannot_be_is_refused_with_its_value_and_the_reason(pool, said):
    with pytest.raises(SettingsError) as caught:
        Settings.read({**ENVIRON, "ORCHESTRATOR_SUBNET_POOL": pool})
    assert str(caught.value).startswith(f"ORCHESTRATOR_SUBNET_POOL: {said}")


def test_a_count_or_seed_outside_its_range_is_refused_with_the_part_that_has_it():
    least, most, seed = "count: must be at least 1", "count: must be at most 50", "seed: must be at most 9999"
    for part, said in (("*=0", least), ("*=99", most), ("small:10000=1", seed)):
        with pytest.raises(SettingsError, match=f"^ORCHESTRATOR_POOL: {re.escape(repr(part))}: {said}$"):
            Settings.read({**ENVIRON, "ORCHESTRATOR_POOL": f"small=1,{part}"})


def test_what_is_prepared_stays_fresh_for_a_while():
    environ = {**ENVIRON, "ORCHESTRATOR_POOL_LEAST_SECONDS": "1680"}
    read = Settings.read(environ)
    assert read.least_left + 2 * read.replacement_lead == read.session_duration
    most = "^ORCHESTRATOR_POOL_LEAST_SECONDS: .* at most 1680 s can be left to whoever claims it"
    with pytest.raises(SettingsError, match=most):
        Settings.read(environ | {"ORCHESTRATOR_POOL_LEAST_SECONDS": "1681"})
    for beyond in ("inf", "1e300"):
        with pytest.raises(SettingsError, match=r"^ORCHESTRATOR_POOL_LEAST_SECONDS: .* 1800"):
            Settings.read(environ | {"ORCHESTRATOR_POOL_LEAST_SECONDS": beyond})
    # Of a short session, cleanup takes the third that is left.
    short = {**ENVIRON, "ORCHESTRATOR_SESSION_SECONDS": "30", "ORCHESTRATOR_POOL_LEAST_SECONDS": "20"}
    assert Settings.read(short).least_left.total_seconds() == 20
    with pytest.raises(SettingsError, match="at most 20 s can be left"):
        Settings.read(short | {"ORCHESTRATOR_POOL_LEAST_SECONDS": "21"})


def test_a_fleet_prepares_no_network_for_any_template():
    with pytest.raises(SettingsError, match="in a fleet no network is prepared for any template"):
        Settings.read({**ENVIRON, "ORCHESTRATOR_FLEET": "/fleet.yml", "ORCHESTRATOR_POOL": "*=1"})


def test_a_fleets_hosts_keep_no_more_prepared_than_can_be_shown():
    fleet = {**ENVIRON, "ORCHESTRATOR_FLEET": "/fleet.yml"}
    assert len(Settings.read({**fleet, "ORCHESTRATOR_POOL": "small=25,large=25"}).pool) == 2
    with pytest.raises(SettingsError, match="51 sessions cannot be kept prepared on each host"):
        Settings.read({**fleet, "ORCHESTRATOR_POOL": "small=25,large=26"})
