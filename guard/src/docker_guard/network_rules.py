"""Judges a session's network: internal, closed towards the host, its own subnet, a deadline in time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from typing import Any

from docker_guard import labels
from docker_guard.bodies import CreateNetwork
from docker_guard.policy import Policy
from docker_guard.refusal import Refusal, shown

BRIDGE_NAME = "com.docker.network.bridge.name"
INHIBIT_IPV4 = "com.docker.network.bridge.inhibit_ipv4"


@dataclass(frozen=True, slots=True)
class SessionNetwork:
    """A network that belongs to a session and is closed towards the host."""

    id: str
    name: str
    session_id: str
    subnet: IPv4Network
    labels: Mapping[str, str]


def judge_network(body: CreateNetwork, policy: Policy, now: datetime) -> dict[str, Any]:
    """Return the body for the engine. Raises Refusal with the rule that the client's body breaks."""
    session_id = labels.checked(body.Labels, labels.SHARED)
    if body.Name != labels.network_name(session_id):
        raise Refusal("network", f"the name must be {labels.network_name(session_id)}")
    if not body.Internal:
        raise Refusal("network", "the network must be internal")
    options = _options(session_id)
    if body.Options != options:
        raise Refusal("network", f"the options must be {options}")
    _check_deadline(body.Labels[labels.EXPIRES_AT], policy, now)
    return {
        "Name": body.Name,
        "Driver": "bridge",
        "Internal": True,
        "EnableIPv6": False,
        "Attachable": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": _subnet(body.IPAM.ranges[0].Subnet, policy)}]},
        "Options": options,
        "Labels": dict(body.Labels),
    }


def session_network(found: Mapping[str, Any], session_id: str, policy: Policy) -> SessionNetwork:
    """Return a network that the engine lists. Raises Refusal if it is not the session's, or not closed."""
    name = labels.network_name(session_id)
    ranges = (found.get("IPAM") or {}).get("Config") or []
    is_shut = (
        found.get("Name") == name
        and labels.session_of(found["Labels"]) == session_id
        and found.get("Driver") == "bridge"
        and found.get("Internal") is True
        and not found.get("EnableIPv6")
        and found.get("Options") == _options(session_id)
        and len(ranges) == 1
    )
    deadline, latest = labels.parse_moment(found["Labels"].get(labels.EXPIRES_AT)), latest_end(found, policy)
    if not is_shut or deadline is None or latest is None or deadline > latest:
        raise Refusal("session", f"the network {name} was not created within the rules")
    return SessionNetwork(found["Id"], name, session_id, IPv4Network(ranges[0]["Subnet"]), found["Labels"])


def latest_end(found: Mapping[str, Any], policy: Policy) -> datetime | None:
    """Return when a session must end by the age of its network, as the engine reports it."""
    try:
        created = datetime.fromisoformat(found["Created"])
    except (KeyError, TypeError, ValueError):
        return None
    return created + timedelta(seconds=policy.session_seconds)


def _options(session_id: str) -> dict[str, str]:
    return {BRIDGE_NAME: labels.bridge_name(session_id), INHIBIT_IPV4: "true"}


def _check_deadline(text: str, policy: Policy, now: datetime) -> None:
    moment = labels.parse_moment(text)
    if moment is None:
        raise Refusal("deadline", f"{labels.EXPIRES_AT} does not have the form 2026-01-31T12:00:00Z")
    if not now < moment <= now + timedelta(seconds=policy.session_seconds):
        raise Refusal("deadline", f"{labels.EXPIRES_AT} is not within the next {policy.session_seconds} s")


def _subnet(text: str, policy: Policy) -> str:
    try:
        subnet = IPv4Network(text)
    except ValueError:
        raise Refusal("network", f"{shown(text)} is not an IPv4 subnet") from None
    in_pool = subnet.subnet_of(policy.subnet_pool) and policy.largest_subnet <= subnet.prefixlen <= 30
    if str(subnet) != text or not in_pool:
        raise Refusal(
            "network",
            f"the subnet {shown(text)} is not in {policy.subnet_pool}, /{policy.largest_subnet} or smaller",
        )
    return text
