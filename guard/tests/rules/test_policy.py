"""The policy has bounds and one meaning, and a faulty one is refused before anything is served."""

import json

import pytest

from docker_guard.rules.policy import ConfigurationError, Policy

REFUSED = {
    "45 s between looks": '{"sweep_seconds": 45}',
    "no look ever again": '{"sweep_seconds": Infinity}',
    "no number of seconds": '{"sweep_seconds": NaN}',
    "no time at all": '{"sweep_seconds": 0}',
    "a removal without an end": '{"removal_seconds": 1e9}',
    "an engine that is waited for without an end": '{"engine_seconds": Infinity}',
    "a key twice": '{"targets": 20, "targets": 9000}',
    "a key twice, deep down": '{"log_bytes": {"target": 1000000, "target": 2000000, "collector": 2000000}}',
    "log bytes of targets alone": '{"log_bytes": {"target": 10000000}}',
    "log bytes of collectors alone": '{"log_bytes": {"collector": 10000000}}',
    "log bytes of nobody": '{"log_bytes": {"target": 10000000, "collector": 10000000, "other": 10000000}}',
    "logs that are always turned over": '{"log_bytes": {"target": 10, "collector": 10000000}}',
    "a subnet of a million addresses": '{"largest_subnet": 12}',
    "a number as a text": '{"session_seconds": "1800"}',
    "so little of a processor that the engine sets no limit": '{"nano_cpus": 9999}',
    "true for a number": '{"targets": true}',
    "half a target": '{"targets": 1.5}',
    "an unknown key": '{"target": 1}',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_refuses_a_faulty_policy_as_a_whole(tmp_path, text):
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="the policy"):
        Policy.load(path)


@pytest.mark.parametrize("text", ["sweep_seconds = inf", "sweep_seconds = nan", "targets = 1979-05-27"])
def test_refuses_a_faulty_policy_in_toml_too(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="the policy"):
        Policy.load(path)


def test_reads_json_and_toml(tmp_path):
    said = {
        "sweep_seconds": 1,
        "log_bytes": {"target": 10_000_000, "collector": 128_000_000},
        "client_networks": ["10.1.2.3/32", "fd00::1/128"],
        "user_ids": [0, 33],
        "subnet_pool": "10.214.0.0/16",
    }
    as_json, as_toml = tmp_path / "p.json", tmp_path / "p.toml"
    as_json.write_text(json.dumps(said))
    as_toml.write_text(
        'sweep_seconds = 1\nclient_networks = ["10.1.2.3/32", "fd00::1/128"]\nuser_ids = [0, 33]\n'
        'subnet_pool = "10.214.0.0/16"\nlog_bytes = {target = 10000000, collector = 128000000}\n'
    )
    assert Policy.load(as_json) == Policy.load(as_toml)
    assert Policy.load(None) == Policy()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"sesions": 4}', "'sesions': there is no such field; did you mean sessions?"),
        ('{"zzz": 4}', "'zzz': there is no such field"),
    ],
)
def test_a_misspelt_field_is_named_with_the_one_that_may_be_meant(tmp_path, text, said):
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        Policy.load(path)
    assert str(refused.value) == f"the policy {path}: {said}"


HOST_BITS = "{} has host bits set; write {} for the network or {} for the one address"


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        (
            "client_networks",
            ["10.230.7.0/33"],
            "'client_networks.0': '10.230.7.0/33' is not a network: '33' is not a valid netmask",
        ),
        (
            "client_networks",
            ["0.0.0.0/0", "fd00::1/64"],
            "'client_networks.1': " + HOST_BITS.format("fd00::1/64", "fd00::/64", "fd00::1"),
        ),
        ("client_networks", [7], "'client_networks.0': expected a network as a text, e.g. \"10.214.0.0/16\""),
        (
            "subnet_pool",
            "10.231.0.1/16",
            "'subnet_pool': " + HOST_BITS.format("10.231.0.1/16", "10.231.0.0/16", "10.231.0.1"),
        ),
        ("subnet_pool", "fd00::/64", "'subnet_pool': fd00::/64 is not a network of IPv4"),
        ("log_bytes", {"target": 10_000_000}, "'log_bytes': give a ceiling for target and for collector"),
    ],
)
def test_a_faulty_value_is_named_once_with_its_place_and_the_reason(tmp_path, field, given, said):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps({field: given}))
    with pytest.raises(ConfigurationError) as refused:
        Policy.load(path)
    assert str(refused.value) == f"the policy {path}: {said}"
