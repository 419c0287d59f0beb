"""Judges a container that a client wants to create, and builds the request for the engine anew."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from docker_guard.refusal import Refusal, shown
from docker_guard.rules import labels
from docker_guard.rules.allowlist import AllowedImage, Allowlist, TmpfsRow
from docker_guard.rules.arguments import is_within
from docker_guard.rules.bodies import OOM_SCORE_ADJ, ULIMITS, CreateContainer, Endpoint, Host
from docker_guard.rules.network_rules import SessionNetwork
from docker_guard.rules.policy import LEAST_LOG_FILE_BYTES, LEAST_NANO_CPUS, Policy
from docker_guard.rules.system_calls import with_profile

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SIZE = re.compile(r"([1-9][0-9]{0,11})([kmg]?)b?", re.IGNORECASE | re.ASCII)
_SECURITY = ["no-new-privileges:true"]
_NO_NEW_PRIVILEGES = (["no-new-privileges"], _SECURITY, ["no-new-privileges=true"])
_SAFE_MOUNT_FLAGS = frozenset({"rw", "noexec", "nosuid", "nodev"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DIGITS = {8: re.compile("[0-7]{1,6}"), 10: re.compile("[0-9]{1,10}")}
_LOG_OPTIONS = frozenset({"max-size", "max-file"})
_PROBE = "discovery/test-collector-probe:"
_TARGETS, _COLLECTORS = 20, 2
"""Containers of a session on an overlay, on all its hosts; the addresses between them are for probes."""


@dataclass(frozen=True, slots=True)
class ContainerDraft:
    """A container that passes every rule that needs no engine. Sizes in bytes."""

    session_id: str
    image: AllowedImage
    named_by: str
    """The client's reference to the image: its ID, or a name that must resolve to this ID now."""
    labels: Mapping[str, str]
    environment: tuple[str, ...]
    arguments: tuple[str, ...]
    """Empty for the image's own command."""
    stdin: bool
    network: str
    address: IPv4Address | None
    aliases: tuple[str, ...]
    capabilities: tuple[str, ...]
    security: tuple[str, ...]
    """`SecurityOpt`."""
    memory: int
    memory_and_swap: int
    nano_cpus: int
    pids: int
    read_only: bool
    tmpfs: Mapping[str, str]
    log: Mapping[str, str]


def judge_container(body: CreateContainer, allowlist: Allowlist, policy: Policy) -> ContainerDraft:
    """Check a body against allowlist and ceilings. Raises Refusal with the rule that it breaks."""
    image = allowlist.image(body.Image, policy)
    session_id = labels.checked(body.Labels, labels.OF_CONTAINER)
    if body.Labels[labels.ROLE] != image.role:
        raise Refusal("labels", f"{image.name} is a {image.role}, whatever the label says")
    if body.Labels[labels.IMAGE] != image.name:
        raise Refusal("labels", f"the label {labels.IMAGE} must be {image.name}")
    host = body.HostConfig
    if host.SecurityOpt not in _NO_NEW_PRIVILEGES:
        raise Refusal("privileges", "SecurityOpt must be no-new-privileges and nothing else")
    if image.row.read_only and not host.ReadonlyRootfs:
        raise Refusal("disk", f"the root of {image.name} must be read-only (ReadonlyRootfs)")
    if body.Cmd and not image.row.arguments:
        raise Refusal("body", f"Cmd may only be left at its default: {image.name} runs its own command")
    if body.OpenStdin and not image.row.stdin:
        raise Refusal("body", f"OpenStdin may only be left at its default: {image.name} takes no input")
    endpoint = _endpoint(body)
    return ContainerDraft(
        session_id=session_id,
        image=image,
        named_by=body.Image,
        labels=dict(body.Labels),
        environment=_environment(body.Env, image, policy),
        arguments=tuple(body.Cmd),
        stdin=body.OpenStdin,
        network=host.NetworkMode,
        address=_address(endpoint),
        aliases=_aliases(endpoint),
        capabilities=_capabilities(host, image),
        security=tuple(_SECURITY if policy.seccomp == "engine" else with_profile(_SECURITY)),
        memory=_within("Memory", host.Memory, policy.memory_bytes),
        # Without it the engine allows the same amount again as swap; above Memory, swapping keeps the host's
        # disk busy.
        memory_and_swap=_within("MemorySwap", host.MemorySwap, host.Memory, least=host.Memory),
        nano_cpus=_within("NanoCpus", host.NanoCpus, policy.nano_cpus, least=LEAST_NANO_CPUS),
        pids=_within("PidsLimit", host.PidsLimit, policy.pids),
        read_only=host.ReadonlyRootfs,
        tmpfs=_tmpfs(host, image),
        log=_log(host, policy.log_bytes[image.role]),
    )


def fit_into_session(draft: ContainerDraft, network: SessionNetwork) -> None:
    """Check a draft against its session's network. Raises Refusal."""
    if draft.network not in (network.name, network.id):
        raise Refusal("session", f"the network must be the session's own, {network.name}")
    for key in labels.SHARED:
        on_network = network.labels.get(key)
        is_open = key == labels.TEMPLATE and on_network == labels.ANY_TEMPLATE
        if draft.labels[key] != on_network and not is_open:
            raise Refusal("session", f"the label {key} must be that of the session's network")
    if draft.arguments and not any(
        is_within(draft.arguments, allowed, network.subnet, draft.address, draft.image.row.max_rate)
        for allowed in draft.image.row.arguments
    ):
        raise Refusal("body", f"Cmd may only be one of the argument lists of {draft.image.name}")
    if network.is_overlay:
        _check_place(draft, network.subnet)
    # The engine reserves the first address for a gateway, although none uses it.
    if draft.address is not None and not _is_free(draft.address, network.subnet):
        raise Refusal("session", f"the address is not one for a container in the subnet {network.subnet}")


def _check_place(draft: ContainerDraft, subnet: IPv4Network) -> None:
    """Check the address of a container on an overlay.

    No guard sees what the other hosts hold, but an address is taken once in the whole overlay. So addresses
    bound how many targets and collectors a session has on all hosts together.
    """
    if draft.address is None:
        raise Refusal("session", "a container on an overlay needs an address of its own")
    after_gateway = int(draft.address) - int(subnet.network_address) - 1
    from_end = int(subnet.broadcast_address) - int(draft.address)
    if draft.image.role == "target":
        is_right = 1 <= after_gateway <= _TARGETS
    elif draft.image.name.startswith(_PROBE):
        is_right = after_gateway > _TARGETS
    else:
        is_right = 1 <= from_end <= _COLLECTORS
    if not is_right:
        raise Refusal("session", f"{draft.address} is not an address for such a container in {subnet}")


def _is_free(address: IPv4Address, subnet: IPv4Network) -> bool:
    first, last = subnet.network_address, subnet.broadcast_address
    return first + 1 < address < last


def body_in_session(draft: ContainerDraft, network: SessionNetwork) -> dict[str, Any]:
    """Return the body for the engine of a draft that fits its session's network. Raises Refusal."""
    fit_into_session(draft, network)
    return container_body(draft, network.id)


def container_body(draft: ContainerDraft, network_id: str) -> dict[str, Any]:
    """Return the body for the engine: only values that were judged, the network by its ID."""
    address = {"IPAMConfig": {"IPv4Address": str(draft.address)}} if draft.address else {}
    command = {"Cmd": list(draft.arguments)} if draft.arguments else {}
    return {
        **command,
        "Image": draft.image.row.id,
        "Labels": dict(draft.labels),
        "Env": list(draft.environment),
        **({"OpenStdin": True} if draft.stdin else {}),
        "HostConfig": {
            "NetworkMode": network_id,
            "CapDrop": ["ALL"],
            "CapAdd": list(draft.capabilities),
            "SecurityOpt": list(draft.security),
            "Privileged": False,
            "Init": False,
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "Memory": draft.memory,
            "MemorySwap": draft.memory_and_swap,
            "NanoCpus": draft.nano_cpus,
            "PidsLimit": draft.pids,
            "OomScoreAdj": OOM_SCORE_ADJ,
            "Ulimits": [dict(each) for each in ULIMITS],
            "ReadonlyRootfs": draft.read_only,
            "Tmpfs": dict(draft.tmpfs),
            "LogConfig": {"Type": "json-file", "Config": dict(draft.log)},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        },
        "NetworkingConfig": {"EndpointsConfig": {network_id: {**address, "Aliases": list(draft.aliases)}}},
    }


def _within(what: str, value: int, ceiling: int, least: int = 1) -> int:
    if not least <= value <= ceiling:
        raise Refusal("limits", f"{what} must be set, to at least {least} and at most {ceiling}")
    return value


def _environment(entries: list[str], image: AllowedImage, policy: Policy) -> tuple[str, ...]:
    keys = []
    for entry in entries:
        key, separator, _ = entry.partition("=")
        if not separator or key not in image.row.environment:
            raise Refusal("environment", f"{shown(key, 60)} is not an environment key of {image.name}")
        if len(entry.encode()) > policy.environment_value_bytes:
            raise Refusal("environment", f"{key} is longer than {policy.environment_value_bytes} bytes")
        if _CONTROL.search(entry):
            raise Refusal("environment", f"the value of {key} contains control characters")
        keys.append(key)
    if len(set(keys)) < len(keys):
        raise Refusal("environment", "there is a duplicate environment key")
    if sum(map(_stored_bytes, entries)) > policy.environment_bytes:
        raise Refusal("environment", f"it is longer than {policy.environment_bytes} bytes in total")
    return tuple(entries)


def _stored_bytes(text: str) -> int:
    """Return a text's length as the engine stores it: in Go's JSON, `<`, `>` and `&` take six bytes."""
    escaped = sum(text.count(character) for character in '"\\')
    marked = sum(text.count(character) for character in "<>&\u2028\u2029")
    return len(text.encode()) + escaped + 5 * marked


def _endpoint(body: CreateContainer) -> Endpoint:
    endpoints = body.NetworkingConfig.EndpointsConfig
    if not endpoints:
        return Endpoint()
    ((name, endpoint),) = endpoints.items()
    if name != body.HostConfig.NetworkMode:
        raise Refusal("session", "NetworkMode and EndpointsConfig must name the same network")
    return endpoint


def _address(endpoint: Endpoint) -> IPv4Address | None:
    text = endpoint.IPAMConfig.IPv4Address
    if not text:
        return None
    try:
        return IPv4Address(text)
    except ValueError:
        raise Refusal("session", f"{shown(text)} is not an IPv4 address") from None


def _aliases(endpoint: Endpoint) -> tuple[str, ...]:
    for alias in endpoint.Aliases:
        if not _ALIAS.fullmatch(alias):
            raise Refusal("session", f"the alias {shown(alias)} is not a plain name")
    return tuple(endpoint.Aliases)


def _bare(capability: str) -> str:
    return capability.removeprefix("CAP_")


def _capabilities(host: Host, image: AllowedImage) -> tuple[str, ...]:
    if host.CapDrop != ["ALL"]:
        raise Refusal("privileges", "CapDrop must be ALL")
    for capability in host.CapAdd:
        if _bare(capability) not in image.row.capabilities:
            raise Refusal("privileges", f"{shown(capability)} is not a capability of {image.name}")
    return tuple(dict.fromkeys(map(_bare, host.CapAdd)))


def _tmpfs(host: Host, image: AllowedImage) -> dict[str, str]:
    allowed = image.row.tmpfs
    if host.Tmpfs.keys() != allowed.keys():
        raise Refusal("disk", f"Tmpfs must be as in the allowlist for {image.name}: {sorted(allowed)}")
    return {path: _tmpfs_options(path, text, allowed[path]) for path, text in host.Tmpfs.items()}


def _tmpfs_options(path: str, text: str, row: TmpfsRow) -> str:
    """Return the canonical options; a client may choose a smaller size and omit what is fixed."""
    words = text.split(",")
    values = dict(word.split("=", 1) for word in words if "=" in word)
    flags = [word for word in words if "=" not in word]
    size = _bytes(values.get("size", ""), 1024)
    fixed = {"uid": row.uid, "gid": row.gid, "mode": int(row.mode, 8)}
    acceptable = (
        len(values) + len(set(flags)) == len(words)
        and set(flags) <= _SAFE_MOUNT_FLAGS
        and values.keys() <= {"size", *fixed}
        and size is not None
        and size <= row.size
        and all(
            _number(values[key], 8 if key == "mode" else 10) == fixed[key]
            for key in fixed.keys() & values.keys()
        )
    )
    if not acceptable:
        raise Refusal(
            "disk",
            f"the options of tmpfs {path} must be size={row.size} or less, uid={row.uid}, gid={row.gid}, "
            f"mode={row.mode}, rw, noexec, nosuid, nodev",
        )
    return f"rw,noexec,nosuid,nodev,size={size},mode={row.mode},uid={row.uid},gid={row.gid}"


def _log(host: Host, ceiling: int) -> dict[str, str]:
    options = host.LogConfig.options
    size = _bytes(options.get("max-size", ""), 1000)
    files = _number(options.get("max-file", "1"), 10) or 0
    acceptable = (
        host.LogConfig.Type == "json-file"
        and options.keys() <= _LOG_OPTIONS
        and size is not None
        and 0 < files <= 10
        and size >= LEAST_LOG_FILE_BYTES
        and size * files <= ceiling
    )
    if not acceptable:
        raise Refusal(
            "limits",
            f"the log must be json-file with max-size, at least {LEAST_LOG_FILE_BYTES} bytes, "
            f"at most {ceiling} bytes in total",
        )
    return {"max-size": str(size), "max-file": str(files)}


def _bytes(text: str, kilo: int) -> int | None:
    """Parse a size as the engine does: for a tmpfs k is 1024, for a log 1000. None if it is not a size."""
    size = _SIZE.fullmatch(text)
    return int(size[1]) * kilo ** " kmg".index(size[2].lower() or " ") if size else None


def _number(text: str, base: int) -> int | None:
    return int(text, base) if _DIGITS[base].fullmatch(text) else None
