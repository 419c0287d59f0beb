"""A session across hosts: the manager's guard alone makes its overlay, in one form."""

import json
from datetime import UTC, datetime

import pytest
from guard_stage import Words, in_seconds
from worker_stage import worker_of

from docker_guard.refusal import Refusal
from docker_guard.rules import labels
from docker_guard.rules.bodies import CreateNetwork, parse_body
from docker_guard.rules.network_rules import VXLAN_IDS, judge_network
from docker_guard.rules.policy import Policy

WORDS = Words(1500)  # judged minutes after it is made, where many tests run before
MANAGER = Policy(makes_overlays=True)
PRIVATE = Policy(makes_overlays=True, encrypted_overlays=False)
ADDRESSES = {"Subnet": "10.213.4.0/26", "IPRange": "10.213.4.32/27"}


def decided(body, policy=MANAGER):
    return judge_network(parse_body(CreateNetwork, json.dumps(body).encode()), policy, datetime.now(UTC))


def ranges(**changes):
    given = {key: value for key, value in (ADDRESSES | changes).items() if value is not None}
    return {"IPAM": {"Driver": "default", "Config": [given]}}


def test_the_manager_builds_the_one_allowed_overlay():
    assert decided(WORDS.overlay()) == WORDS.overlay()
    assert decided(WORDS.overlay(Scope="")) == WORDS.overlay()
    assert decided(WORDS.overlay(Options={}), PRIVATE) == WORDS.overlay(Options={})


@pytest.mark.parametrize(
    ("options", "policy", "named"),
    [({}, MANAGER, ("true", "encrypted")), ({"encrypted": ""}, PRIVATE, ("false", "plain"))],
    ids=["in the clear", "encrypted"],
)
def test_a_refusal_names_the_two_settings_that_do_not_fit(options, policy, named):
    with pytest.raises(Refusal) as refused:
        decided(WORDS.overlay(Options=options), policy)
    says, wanted = named
    assert f"encrypted_overlays is {says} in this guard's policy" in str(refused.value.reason)
    assert f"the fleet file needs overlay: {wanted}" in str(refused.value.reason)


def test_everybody_else_makes_bridges_only():
    with pytest.raises(Refusal) as refused:
        decided(WORDS.overlay(), Policy())
    assert refused.value.rule == "network"
    assert decided(WORDS.network())["Driver"] == "bridge"


BRIDGE_OPTIONS = WORDS.network()["Options"]
REFUSED = {
    "not internal": {"Internal": False},
    "not attachable": {"Attachable": False},
    "the ingress of services": {"Ingress": True},
    "IPv6": {"EnableIPv6": True},
    "of one host": {"Scope": "local"},
    "a configuration": {"ConfigOnly": True},
    "in the clear": {"Options": {}},
    "encryption switched off": {"Options": {"encrypted": "false"}},
    "one more option": {"Options": {"encrypted": "", "com.docker.network.driver.mtu": "9000"}},
    "chosen VXLAN": {"Options": {"encrypted": "", VXLAN_IDS: "4097"}},
    "a bridge's options": {"Options": BRIDGE_OPTIONS},
    "no range for the engines": ranges(IPRange=None),
    "the containers' half for the engines": ranges(IPRange="10.213.4.0/27"),
    "all of it for the engines": ranges(IPRange="10.213.4.0/26"),
    "a part of the half": ranges(IPRange="10.213.4.32/28"),
    "somebody else's half": ranges(IPRange="10.213.4.96/27"),
    "a gateway": ranges(Gateway="10.213.4.2"),
    "reserved addresses": ranges(AuxiliaryAddresses={"x": "10.213.4.3"}),
    "too large a part of the pool": ranges(Subnet="10.213.4.0/25", IPRange="10.213.4.64/26"),
    "outside of the pool": ranges(Subnet="10.214.4.0/26", IPRange="10.214.4.32/27"),
    "too small for halves": ranges(Subnet="10.213.4.0/30", IPRange="10.213.4.2/31"),
    "another name": {"Name": "dryrun-x"},
    "no labels": {"Labels": {}},
    "one more label": {"Labels": WORDS.shared | {"x": "y"}},
    "a deadline too late": {"Labels": WORDS.shared | {labels.EXPIRES_AT: in_seconds(3600)}},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_refuses_an_overlay_in_any_other_form(change):
    with pytest.raises(Refusal) as refused:
        decided(WORDS.overlay(**change))
    assert refused.value.status == 403


@pytest.mark.parametrize("change", [{"Attachable": True}, {"Scope": "swarm"}, ranges()])
def test_a_bridge_has_nothing_of_an_overlay(change):
    with pytest.raises(Refusal) as refused:
        decided(WORDS.network(**change))
    assert refused.value.rule == "body"


async def test_an_overlay_is_made_once_the_swarm_has_allocated_it(engine, tmp_path, allowlist_file):
    async with worker_of(tmp_path, engine, allowlist_file, PRIVATE) as guard:
        words = Words()
        reply = await guard.ask("POST", "/v1.45/networks/create", words.overlay(Options={}))
        assert (reply.status, len(engine.networks)) == (201, 1)
        await guard.make_container(words.container())


async def test_a_subnet_that_another_overlay_has_is_refused_and_leaves_nothing(
    engine, tmp_path, allowlist_file, monkeypatch
):
    monkeypatch.setattr("docker_guard.sessions.session_networks._ALLOCATION_SECONDS", 0.1)
    engine.allocates = False
    async with worker_of(tmp_path, engine, allowlist_file, PRIVATE) as guard:
        words = Words()
        reply = await guard.ask("POST", "/v1.45/networks/create", words.overlay(Options={}))
        assert reply.status == 403
        assert reply.message == "Pool overlaps with other one on this address space"
        assert not engine.networks
        # The next subnet may be tried, with the same deadline.
        engine.allocates = True
        later = dict(words.shared, **{labels.EXPIRES_AT: in_seconds(1700)})
        reply = await guard.ask("POST", "/v1.45/networks/create", words.overlay(Options={}, Labels=later))
        assert "(rule deadline)" in reply.message
        reply = await guard.ask("POST", "/v1.45/networks/create", words.overlay(Options={}))
        assert reply.status == 201


async def test_overlays_past_their_deadline_that_the_swarm_keeps_take_no_places(
    tmp_path, engine, allowlist_file
):
    policy = Policy(makes_overlays=True, sessions=2)
    async with worker_of(tmp_path, engine, allowlist_file, policy) as guard:
        for _ in range(2):
            words = Words()
            old = dict(words.shared, **{labels.EXPIRES_AT: "2020-01-01T00:00:00Z"})
            engine.add_network(old, words.network_name, Driver="overlay")
            guard.door._gate._deadlines.observe(words.session_id, old[labels.EXPIRES_AT])
        assert (await guard.ask("POST", "/v1.45/networks/create", Words().network())).status == 201
