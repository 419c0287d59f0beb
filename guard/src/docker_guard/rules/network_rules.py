"""Judges a session's network: internal, closed towards the host, its own subnet, a deadline in time.

A session has one network: a bridge on one host, or an overlay across the hosts of a fleet. An overlay's
subnet has two halves: containers have fixed addresses in the first; the engines take from the second what
they need themselves, a gateway and an endpoint for each host.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from typing import Any

from docker_guard.refusal import Refusal, shown
from docker_guard.rules import labels
from docker_guard.rules.bodies import AddressRange, CreateNetwork
from docker_guard.rules.policy import Policy

BRIDGE_NAME = "com.docker.network.bridge.name"
INHIBIT_IPV4 = "com.docker.network.bridge.inhibit_ipv4"
ENCRYPTED = {"encrypted": ""}
VXLAN_IDS = "com.docker.network.driver.overlay.vxlanid_list"
"""The option that the engine adds to those of an overlay."""
_ENGINE_ID = re.compile("[0-9a-z]{25}|[0-9a-f]{64}")
"""An overlay's or a bridge's: `host` is a network to the engine too."""
SMALLEST_SUBNET = 30
SMALLEST_OVERLAY = 29


@dataclass(frozen=True, slots=True)
class SessionNetwork:
    """A network that belongs to a session and is closed towards every host."""

    id: str
    name: str
    session_id: str
    subnet: IPv4Network
    """Where containers have their addresses."""
    labels: Mapping[str, str]
    is_overlay: bool = False


def judge_network(body: CreateNetwork, policy: Policy, now: datetime) -> dict[str, Any]:
    """Return the body for the engine. Raises Refusal with the rule that the client's body breaks."""
    session_id = labels.checked(body.Labels, labels.SHARED)
    if body.Name != labels.network_name(session_id):
        raise Refusal("network", f"the name must be {labels.network_name(session_id)}")
    if not body.Internal:
        raise Refusal("network", "the network must be internal")
    is_overlay = body.Driver == "overlay"
    options = _overlay_options(policy) if is_overlay else _bridge_options(session_id)
    if is_overlay and body.Options != options and body.Options in ({}, ENCRYPTED):
        says, wanted = ("true", "encrypted") if policy.encrypted_overlays else ("false", "plain")
        raise Refusal(
            "network",
            f"encrypted_overlays is {says} in this guard's policy, so the fleet file needs "
            f"overlay: {wanted}; or the policy of every guard another value, and the guards a restart",
        )
    if body.Options != options:
        raise Refusal("network", f"the options must be {options}")
    _check_deadline(body.Labels[labels.EXPIRES_AT], policy, now)
    return {
        "Name": body.Name,
        **(_overlay(body, policy) if is_overlay else _bridge(body, policy)),
        "Internal": True,
        "EnableIPv6": False,
        "Options": options,
        "Labels": dict(body.Labels),
    }


def _bridge(body: CreateNetwork, policy: Policy) -> dict[str, Any]:
    """Return the parts of the engine's body that only a bridge has."""
    (given,) = body.IPAM.ranges
    for field, is_default in {
        "Attachable": not body.Attachable,
        "Scope": body.Scope != "swarm",
        "IPRange": not given.IPRange,
    }.items():
        if not is_default:
            raise Refusal("body", f"{field} may only be left at its default")
    return {
        "Driver": "bridge",
        "Attachable": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(_subnet(given, policy, SMALLEST_SUBNET))}]},
    }


def _overlay(body: CreateNetwork, policy: Policy) -> dict[str, Any]:
    """Return the parts of the engine's body that only an overlay has."""
    if not policy.makes_overlays:
        raise Refusal("network", "overlays are made by the guard of the fleet's manager only")
    if not body.Attachable or body.Scope == "local":
        raise Refusal("network", "an overlay must be attachable and of the scope swarm")
    (given,) = body.IPAM.ranges
    subnet = _subnet(given, policy, SMALLEST_OVERLAY)
    _, of_engines = halves(subnet)
    if given.IPRange != str(of_engines):
        raise Refusal("network", f"the IPRange of {subnet} must be its second half, {of_engines}")
    return {
        "Driver": "overlay",
        "Scope": "swarm",
        "Attachable": True,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(subnet), "IPRange": str(of_engines)}]},
    }


def session_network(found: Mapping[str, Any], session_id: str, policy: Policy) -> SessionNetwork:
    """Return a network that the engine lists. Raises Refusal if it is not the session's, or not closed."""
    name = labels.network_name(session_id)
    ranges = (found.get("IPAM") or {}).get("Config") or []
    is_overlay = found.get("Driver") == "overlay"
    is_shut = (
        found.get("Name") == name
        and labels.session_of(found["Labels"]) == session_id
        and found.get("Internal") is True
        and not found.get("EnableIPv6")
        and len(ranges) == 1
        and (_is_closed_overlay(found, policy) if is_overlay else _is_closed_bridge(found, session_id))
    )
    deadline, latest = labels.parse_moment(found["Labels"].get(labels.EXPIRES_AT)), latest_end(found, policy)
    if not is_shut or deadline is None or latest is None or deadline > latest:
        raise Refusal("session", f"the network {name} was not created within the rules")
    if not _ENGINE_ID.fullmatch(str(found.get("Id"))):
        raise Refusal("session", f"the network {name} has no id")
    subnet = IPv4Network(ranges[0]["Subnet"])
    of_containers = halves(subnet)[0] if is_overlay else subnet
    return SessionNetwork(found["Id"], name, session_id, of_containers, found["Labels"], is_overlay)


def _is_closed_bridge(found: Mapping[str, Any], session_id: str) -> bool:
    return found.get("Driver") == "bridge" and found.get("Options") == _bridge_options(session_id)


def _is_closed_overlay(found: Mapping[str, Any], policy: Policy) -> bool:
    (given,) = found["IPAM"]["Config"]
    subnet = IPv4Network(given["Subnet"])
    options = {key: value for key, value in (found.get("Options") or {}).items() if key != VXLAN_IDS}
    return (
        found.get("Scope") == "swarm"
        and found.get("Attachable") is True
        and not found.get("Ingress")
        and subnet.subnet_of(policy.subnet_pool)
        and policy.largest_subnet <= subnet.prefixlen <= SMALLEST_OVERLAY
        and given.get("IPRange") == str(halves(subnet)[1])
        # More than the policy asks for is no less closed.
        and options in (_overlay_options(policy), ENCRYPTED)
    )


def latest_end(found: Mapping[str, Any], policy: Policy) -> datetime | None:
    """Return when a session must end by the age of its network, as the engine reports it."""
    try:
        created = datetime.fromisoformat(found["Created"])
    except (KeyError, TypeError, ValueError):
        return None
    return created + timedelta(seconds=policy.session_seconds)


def halves(subnet: IPv4Network) -> tuple[IPv4Network, IPv4Network]:
    """Return the half of an overlay's subnet that containers use, and the one that engines use."""
    first, second = subnet.subnets(prefixlen_diff=1)
    return first, second


def _bridge_options(session_id: str) -> dict[str, str]:
    return {BRIDGE_NAME: labels.bridge_name(session_id), INHIBIT_IPV4: "true"}


def _overlay_options(policy: Policy) -> dict[str, str]:
    return dict(ENCRYPTED) if policy.encrypted_overlays else {}


def _check_deadline(text: str, policy: Policy, now: datetime) -> None:
    """Refuse a deadline beyond `session_seconds`, which is 1800 at most in any policy.

    Containers are created on a network of their session only, and removed at its deadline.
    """
    moment = labels.parse_moment(text)
    if moment is None:
        raise Refusal("deadline", f"{labels.EXPIRES_AT} does not have the form 2026-01-31T12:00:00Z")
    if not now < moment <= now + timedelta(seconds=policy.session_seconds):
        raise Refusal("deadline", f"{labels.EXPIRES_AT} is not within the next {policy.session_seconds} s")


def _subnet(given: AddressRange, policy: Policy, smallest: int) -> IPv4Network:
    text = given.Subnet
    try:
        subnet = IPv4Network(text)
    except ValueError:
        raise Refusal("network", f"{shown(text)} is not an IPv4 subnet") from None
    in_pool = subnet.subnet_of(policy.subnet_pool) and policy.largest_subnet <= subnet.prefixlen <= smallest
    if str(subnet) != text or not in_pool:
        raise Refusal(
            "network",
            f"the subnet {shown(text)} is not in {policy.subnet_pool}, /{policy.largest_subnet} or smaller",
        )
    return subnet
