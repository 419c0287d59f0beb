import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.collector_config import (
    MAX_INPUT_BYTES,
    MAX_PART_BYTES,
    MAX_PARTS,
    CollectorConfig,
    ConfigError,
    Credential,
    configuration_digest,
    from_environment,
    from_input,
    to_environment,
    to_input,
)
from dryrun_contract.discovery import Discovery


@given(st.text(max_size=500))
def test_a_configuration_reads_back_as_it_was_written(password):
    config = CollectorConfig(cidr="10.0.0.0/27", credentials=(Credential(engine="redis", password=password),))
    assert from_environment(to_environment(config)) == config


def test_a_long_configuration_is_spread_over_numbered_variables():
    found = tuple(Discovery(kind="host", key="h", data={"text": "ü" * 900}) for _ in range(100))
    config = CollectorConfig(cidr="10.0.0.0/27", discoveries=found)
    variables = to_environment(config)
    assert len(variables) > 1
    assert all(len(value.encode()) <= MAX_PART_BYTES for value in variables.values())
    assert from_environment(variables) == config


def test_a_configuration_beyond_all_variables_is_refused():
    text = "x" * (MAX_PARTS * MAX_PART_BYTES)
    with pytest.raises(ConfigError, match="are the most"):
        to_environment(CollectorConfig(cidr=text))


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "DISCOVERY_CONFIG is not set"),
        ({"DISCOVERY_CONFIG": "{"}, "DISCOVERY_CONFIG"),
        ({"DISCOVERY_CONFIG": "{}"}, "cidr"),
        ({"DISCOVERY_CONFIG": '{"cidr":"x","ground_truth":[]}'}, "ground_truth"),
    ],
)
def test_a_bad_configuration_names_what_is_wrong(environ, says):
    with pytest.raises(ConfigError, match=says):
        from_environment(environ)


def test_a_password_is_not_in_a_representation():
    assert "s3cret" not in repr(Credential(engine="redis", password="s3cret"))


REHEARSED = CollectorConfig(
    cidr="10.213.0.0/27",
    self="10.213.0.30",
    credentials=(
        Credential(engine="postgresql", username="reader", password="rehearsal"),
        Credential(engine="redis", password="rehearsal"),
    ),
)


@pytest.mark.parametrize(
    "fields",
    [
        {"cidr": "192.0.2.0/24"},
        {"self": None},
        {"exclude": ("192.0.2.7",)},
        {"discoveries": (Discovery(kind="host", key="192.0.2.3"),)},
        {"credentials": tuple(reversed(REHEARSED.credentials))},
        {
            "credentials": (
                Credential(engine="postgresql", username="reader", password="production"),
                Credential(engine="redis", password="production"),
            )
        },
    ],
)
def test_the_digest_is_the_same_wherever_a_collector_runs(fields):
    production = REHEARSED.model_copy(update=fields)
    assert configuration_digest(production) == configuration_digest(REHEARSED)


@pytest.mark.parametrize(
    "fields",
    [
        {"profile": "full"},
        {"max_rate": 500},
        {"credentials": ()},
        {"credentials": REHEARSED.credentials[:1]},
        {
            "credentials": (
                Credential(engine="postgresql", username="admin", password="rehearsal"),
                REHEARSED.credentials[1],
            )
        },
    ],
)
def test_runs_that_behave_differently_have_different_digests(fields):
    assert configuration_digest(REHEARSED.model_copy(update=fields)) != configuration_digest(REHEARSED)


@pytest.mark.parametrize("at", ["db.example", "10.0.0.5/24", "fd00::1", "", "10.0.0.0/33"])
def test_a_credential_is_for_ipv4_addresses_and_networks(at):
    with pytest.raises(ConfigError, match=r"credentials\.0\.at"):
        from_environment(
            {
                "DISCOVERY_CONFIG": json.dumps(
                    {"cidr": "x", "credentials": [{"engine": "redis", "password": "p", "at": [at]}]}
                )
            }
        )


def test_the_addresses_of_a_credential_are_not_part_of_the_digest():
    bound = tuple(login.model_copy(update={"at": ("10.0.0.0/8",)}) for login in REHEARSED.credentials)
    assert configuration_digest(REHEARSED.model_copy(update={"credentials": bound})) == configuration_digest(
        REHEARSED
    )


def test_what_is_handed_over_on_standard_input_comes_back():
    found = (Discovery(kind="service", key="10.0.0.2:80/tcp", data={"name": "\u2028é\n"}),)
    line = to_input(found)
    assert line.isascii()
    assert (line[:1], line.count(b"\n"), line[-1:]) == (b"\n", 2, b"\n")
    assert from_input(line) == found
    assert from_input(to_input(())) == ()


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{}", b'{"discoveries":[', b'{"discoveries":[],"x":1}', b"\xff", b"[]"]
)
def test_another_line_of_input_hands_over_nothing(line):
    assert from_input(line) is None


def test_refuses_to_hand_over_more_than_a_line_may_hold():
    found = tuple(
        Discovery(kind="service", key=f"10.0.0.2:{port}/tcp", data={"name": "x" * 3000})
        for port in range(1, 800)
    )
    with pytest.raises(ConfigError, match=str(MAX_INPUT_BYTES - 2)):
        to_input(found)


def test_how_discoveries_come_does_not_change_the_digest():
    waits = CollectorConfig(cidr="10.213.0.0/27", awaits_discoveries=True)
    assert configuration_digest(waits) == configuration_digest(CollectorConfig(cidr="10.213.0.0/27"))


def test_who_is_handed_nothing_need_not_know_of_it():
    config = CollectorConfig(cidr="10.213.0.0/27")
    assert "awaits_discoveries" not in "".join(to_environment(config).values())
    waits = config.model_copy(update={"awaits_discoveries": True})
    assert from_environment(to_environment(waits)) == waits
