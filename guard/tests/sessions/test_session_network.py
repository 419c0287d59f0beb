"""A container fits into its session's network: its labels, and an address that is for containers."""

import json
import time
from contextlib import suppress
from ipaddress import IPv4Network
from typing import Any

import pytest
from guard_stage import ALLOWLIST, Words, judged

from docker_guard.refusal import Refusal
from docker_guard.rules import labels
from docker_guard.rules.allowlist import AllowedImage, Allowlist, AllowlistFile, role_of
from docker_guard.rules.bodies import CreateContainer, parse_body
from docker_guard.rules.container_rules import fit_into_session, judge_container
from docker_guard.rules.network_rules import SessionNetwork
from docker_guard.rules.policy import Policy

POLICY = Policy()
FILE = AllowlistFile.model_validate_json(json.dumps(ALLOWLIST))
IMAGES = Allowlist(
    {name: AllowedImage(name, row, role_of(name, POLICY)) for name, row in FILE.images.items()}
)
WORDS = Words()


def fit(body: Any, shared: dict[str, str] = WORDS.shared) -> None:
    """Judge a container in a network with these labels. Raises Refusal."""
    draft = judge_container(parse_body(CreateContainer, json.dumps(body).encode()), IMAGES, POLICY)
    network = SessionNetwork("n", WORDS.network_name, WORDS.session_id, IPv4Network("10.213.4.0/27"), shared)
    fit_into_session(draft, network)


@pytest.mark.parametrize(
    ("on_network", "named", "rule"),
    [
        ("small", "large", "session"),
        ("small", labels.ANY_TEMPLATE, "session"),
        (labels.ANY_TEMPLATE, "large", None),
        (labels.ANY_TEMPLATE, labels.ANY_TEMPLATE, None),
        (labels.ANY_TEMPLATE, "../large", "labels"),
    ],
)
def test_a_template_is_that_of_the_network_unless_that_is_for_any(on_network, named, rule):
    body = WORDS.container()
    body["Labels"][labels.TEMPLATE] = named
    judge = judged(lambda: fit(body, {**WORDS.shared, labels.TEMPLATE: on_network}))
    assert (judge.rule if isinstance(judge, Refusal) else None) == rule


@pytest.mark.parametrize("key", [labels.SESSION_ID, labels.OWNER, labels.EXPIRES_AT])
def test_a_network_for_any_template_is_still_one_sessions(key):
    shared = {**WORDS.shared, labels.TEMPLATE: labels.ANY_TEMPLATE, key: "another"}
    with pytest.raises(Refusal, match=f"the label {key} must be that of the session's network"):
        fit(WORDS.container(), shared)


@pytest.mark.parametrize(
    "address", ["10.213.4.0", "10.213.4.1", "10.213.4.31", "10.213.5.5", "0.0.0.0", "10.213.4.05", "::1", "x"]
)
def test_refuses_addresses_that_are_not_for_containers(address):
    body = WORDS.container()
    body["NetworkingConfig"]["EndpointsConfig"][WORDS.network_name]["IPAMConfig"]["IPv4Address"] = address
    with pytest.raises(Refusal) as refused:
        fit(body)
    assert refused.value.rule == "session"


@pytest.mark.parametrize("address", ["10.0.0.2", "10.255.255.254"])
def test_an_address_in_a_wide_subnet_is_judged_without_listing_the_subnet(address):
    body = WORDS.container()
    body["NetworkingConfig"]["EndpointsConfig"][WORDS.network_name]["IPAMConfig"]["IPv4Address"] = address
    draft = judge_container(parse_body(CreateContainer, json.dumps(body).encode()), IMAGES, POLICY)
    network = SessionNetwork("n", WORDS.network_name, "s", IPv4Network("10.0.0.0/12"), WORDS.shared)
    begun = time.perf_counter()
    with suppress(Refusal):
        fit_into_session(draft, network)
    assert time.perf_counter() - begun < 0.02
