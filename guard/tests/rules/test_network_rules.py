"""A session's network: internal, closed towards the host, its own subnet and bridge, a deadline in time."""

import json
from datetime import UTC, datetime

import pytest
from guard_stage import Words, in_seconds

from docker_guard.refusal import Refusal
from docker_guard.rules import labels
from docker_guard.rules.bodies import CreateNetwork, parse_body
from docker_guard.rules.network_rules import judge_network
from docker_guard.rules.policy import Policy

WORDS = Words(1500)  # judged minutes after it is made, where many tests run before


def decided(body):
    return judge_network(parse_body(CreateNetwork, json.dumps(body).encode()), Policy(), datetime.now(UTC))


def subnet(text):
    return {"IPAM": {"Config": [{"Subnet": text}]}}


def options(**more):
    return {"Options": WORDS.network()["Options"] | more}


REFUSED = {
    "not internal": {"Internal": False},
    "internal left out": {"Internal": None},
    "attachable": {"Attachable": True},
    "ingress": {"Ingress": True},
    "IPv6": {"EnableIPv6": True},
    "another driver": {"Driver": "macvlan"},
    "host": {"Driver": "host"},
    "swarm": {"Scope": "swarm"},
    "from a configuration": {"ConfigFrom": {"Network": "x"}},
    "a configuration": {"ConfigOnly": True},
    "another name": {"Name": "dryrun-x"},
    "another session's name": {"Name": Words().network_name},
    "an address range": {"IPAM": {"Config": [{"Subnet": "10.213.0.0/27", "Gateway": "10.213.0.9"}]}},
    "another IPAM driver": {"IPAM": {"Driver": "x", "Config": [{"Subnet": "10.213.0.0/27"}]}},
    "no subnet": {"IPAM": {"Config": []}},
    "two subnets": {"IPAM": {"Config": [{"Subnet": "10.213.0.0/27"}, {"Subnet": "10.213.1.0/27"}]}},
    "the whole pool": subnet("10.213.0.0/16"),
    "a large part of it": subnet("10.213.0.0/25"),
    "outside of the pool": subnet("10.214.0.0/27"),
    "around the pool": subnet("10.0.0.0/8"),
    "bits of a host": subnet("10.213.0.1/27"),
    "a mask": subnet("10.213.0.0/255.255.255.224"),
    "IPv6 subnet": subnet("fd00::/64"),
    "one address": subnet("10.213.0.0/31"),
    "open towards the host": options(**{"com.docker.network.bridge.inhibit_ipv4": "false"}),
    "another bridge": options(**{"com.docker.network.bridge.name": "br0"}),
    "one more option": options(**{"com.docker.network.bridge.enable_icc": "true"}),
    "no options": {"Options": {}},
    "one more label": {"Labels": WORDS.shared | {"x": "y"}},
    "a container's label": {"Labels": WORDS.shared | {labels.ROLE: "target"}},
    "no labels": {"Labels": {}},
    "a session in capitals": {"Labels": WORDS.shared | {labels.SESSION_ID: WORDS.session_id.upper()}},
    "an owner of several lines": {"Labels": WORDS.shared | {labels.OWNER: "a\nb"}},
    "an unknown key": {"Peers": []},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_refuses_a_network_in_any_other_form(change):
    with pytest.raises(Refusal) as refused:
        decided(WORDS.network() | change)
    assert refused.value.status == 403


MOMENTS = ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "soon", "", "2099-01-31T12:00:00+00:00"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_refuses_a_deadline_that_is_not_within_half_an_hour(moment):
    with pytest.raises(Refusal) as refused:
        decided(WORDS.network(Labels=WORDS.shared | {labels.EXPIRES_AT: moment}))
    assert refused.value.rule == "deadline"


@pytest.mark.parametrize("seconds", [-1, 1830])
def test_refuses_a_deadline_just_outside(seconds):
    with pytest.raises(Refusal) as refused:
        decided(WORDS.network(Labels=WORDS.shared | {labels.EXPIRES_AT: in_seconds(seconds)}))
    assert refused.value.rule == "deadline"


def test_builds_the_one_allowed_network():
    body = decided(WORDS.network(CheckDuplicate=True, ConfigFrom=None, Scope=""))
    assert body == {**WORDS.network(), "Attachable": False}
