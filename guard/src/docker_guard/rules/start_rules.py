"""Judges an inspected container before it starts: it may have been created past the guard.

The inspection is turned back into the request that would have created it, without what the engine fills in.
That request must pass the rules for new containers, and yield exactly what the guard would have sent.
"""

import json
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from docker_guard.refusal import Refusal
from docker_guard.rules.allowlist import Allowlist
from docker_guard.rules.bodies import CreateContainer, parse_body
from docker_guard.rules.container_rules import container_body, fit_into_session, judge_container
from docker_guard.rules.network_rules import SessionNetwork
from docker_guard.rules.policy import Policy
from docker_guard.rules.system_calls import without_profile

_OF_THE_IMAGE = ("Cmd", "Entrypoint", "ExposedPorts", "Healthcheck", "StopSignal", "User", "WorkingDir")
_SHM_BYTES = 64 * 1024 * 1024
_MASKED = frozenset(
    {
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/firmware",
    }
)
_READ_ONLY = frozenset({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"})
"""What every engine of API 1.44 and later masks and protects; newer ones add to it."""
_OF_THE_HOST = ("MaskedPaths", "ReadonlyPaths", "Runtime", "ShmSize")
"""What the engine fills in beside the request's limits."""
_ENDPOINT = ("IPAMConfig", "Links", "DriverOpts", "MacAddress")
"""The fields of an endpoint that come from the request; the engine fills in the rest."""


def judge_before_start(
    found: Mapping[str, Any],
    image: Mapping[str, Any],
    network: SessionNetwork,
    allowlist: Allowlist,
    policy: Policy,
) -> None:
    """Check an inspected container against every rule for a new one. Raises Refusal.

    `image` is the configuration of its image, from which the engine takes what a request omits.
    """
    host = found["HostConfig"]
    try:
        _check_filled_in(found, image, network, policy)
        asked = parse_body(CreateContainer, json.dumps(_as_asked(found, image)).encode())
        draft = judge_container(asked, allowlist, policy)
        fit_into_session(draft, network)
    except Refusal as refusal:
        raise _not_ours(refusal.reason) from None
    wanted = container_body(draft, network.id)["HostConfig"]
    if differing := [key for key, value in wanted.items() if (host.get(key) or None) != (value or None)]:
        raise _not_ours(f"{', '.join(differing)}: not as the guard sets it")


def _check_filled_in(
    found: Mapping[str, Any], image: Mapping[str, Any], network: SessionNetwork, policy: Policy
) -> None:
    """Check the fields that no request may set."""
    config, host = found["Config"], found["HostConfig"]
    differing = [
        key
        for key in _OF_THE_IMAGE
        if (config.get(key) or None) != (image.get(key) or None) and not (key == "Cmd" and config.get(key))
    ]
    differing += [
        key
        for key, is_right in {
            "Hostname": config.get("Hostname") == found["Id"][:12],
            "MaskedPaths": _MASKED.issubset(host.get("MaskedPaths") or ()),
            "ReadonlyPaths": _READ_ONLY.issubset(host.get("ReadonlyPaths") or ()),
            "Runtime": host.get("Runtime") == policy.runtime,
            "ShmSize": host.get("ShmSize") == _SHM_BYTES,
            "Mounts": not found.get("Mounts"),
            # An engine that has no container on an overlay yet knows only the id that the guard gave it.
            "Networks": list(found["NetworkSettings"]["Networks"]) in ([network.name], [network.id]),
        }.items()
        if not is_right
    ]
    if differing:
        raise Refusal("start", f"{', '.join(differing)}: not the image's, the engine's or the session's")


def _as_asked(found: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that would have created the container; empty values are left out."""
    config, host = found["Config"], found["HostConfig"]
    filled_in = {*_OF_THE_IMAGE, "Hostname", "Image", "Labels", "Env"}
    of_image = (image.get("Labels") or {}).items()
    (endpoint,) = found["NetworkSettings"]["Networks"].values()
    return {
        **{key: value for key, value in config.items() if value and key not in filled_in},
        # A command other than the image's came from a request, and is judged as such.
        **({"Cmd": config["Cmd"]} if config.get("Cmd") and config["Cmd"] != image.get("Cmd") else {}),
        "Image": found["Image"],
        "Labels": dict((config.get("Labels") or {}).items() - of_image),
        "Env": [entry for entry in config.get("Env") or () if entry not in (image.get("Env") or ())],
        "HostConfig": {
            **{key: value for key, value in host.items() if value and key not in _OF_THE_HOST},
            "SecurityOpt": without_profile(host.get("SecurityOpt") or []),
        },
        "NetworkingConfig": {"EndpointsConfig": {host["NetworkMode"]: _endpoint(endpoint, found["Id"])}},
    }


def _endpoint(found: Mapping[str, Any], identity: str) -> dict[str, Any]:
    # The engine adds the short id by itself, and hides it from newer clients.
    aliases = [alias for alias in found.get("Aliases") or () if alias != identity[:12]]
    asked = {key: found[key] for key in _ENDPOINT if found.get(key)}
    if found.get("EndpointID") and asked.get("MacAddress") == _mac_of(asked):
        # After a start that failed on a full disk, the endpoint keeps the address that the engine assigned.
        del asked["MacAddress"]
    return {"Aliases": aliases, **asked}


def _mac_of(endpoint: Mapping[str, Any]) -> str | None:
    """Return the hardware address that the engine derives from the requested IPv4 address."""
    try:
        address = IPv4Address((endpoint.get("IPAMConfig") or {}).get("IPv4Address", ""))
    except ValueError:
        return None
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x42, *address.packed))


def _not_ours(reason: str) -> Refusal:
    return Refusal("start", f"this container breaks the rules and may only be removed: {reason}")
