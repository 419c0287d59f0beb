"""Parses the engine's answers, and refuses what no engine would send."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from ipaddress import IPv4Network
from typing import Any, get_args

from dryrun_contract.bounded_json import JsonBounds, read_json
from dryrun_orchestrator.engine.docker_errors import Call, rubbish
from dryrun_orchestrator.engine.protocol import (
    Container,
    ContainerDetail,
    ContainerStatus,
    EngineEvent,
    Health,
    Network,
    Traffic,
)

_STATUSES = get_args(ContainerStatus.__value__)
_ENDED = frozenset({"exited", "dead"})
_EVENT_KINDS = ("container", "network")
_ENGINE_ATTRIBUTES = frozenset(
    {"container", "execDuration", "execID", "exitCode", "image", "name", "signal", "type"}
)
"""Attributes of an event that are not labels."""
EVENT_LINE_CEILING_BYTES = 1024 * 1024
_EVENT_BOUNDS = JsonBounds(
    size=EVENT_LINE_CEILING_BYTES, values=100_000, depth=32, key_length=EVENT_LINE_CEILING_BYTES
)


@contextmanager
def shape_checked(call: Call) -> Iterator[None]:
    """Turn a missing key or wrong type into RejectedError: the answer is not an engine's."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise rubbish(call, f"{type(error).__name__}: {error}") from error


def id_from(answer: Any) -> str:
    """Return the id of the created object."""
    identity = _text(answer["Id"])
    if not identity:
        raise ValueError("Id is empty")
    return identity


def network_from(item: Mapping[str, Any]) -> Network:
    """Read one network of `GET /networks`."""
    configurations = (item.get("IPAM") or {}).get("Config") or []
    subnet = configurations[0].get("Subnet") if configurations else None
    is_overlay = item.get("Driver") == "overlay"
    if is_overlay and subnet is not None and IPv4Network(subnet).prefixlen == 32:
        raise ValueError(f"{subnet} has no halves")  # what callers take of an overlay's
    return Network(
        id=_text(item["Id"]),
        name=_text(item["Name"]),
        subnet=None if subnet is None else _text(subnet),
        labels=_labels(item.get("Labels")),
        is_overlay=is_overlay,
    )


def container_from(item: Mapping[str, Any]) -> Container:
    """Read one container of `GET /containers/json`."""
    names = item.get("Names") or [item["Id"]]  # one that is being removed may have no name
    return Container(
        id=_text(item["Id"]),
        name=_text(names[0]).removeprefix("/"),
        status=_status(item["State"]),
        labels=_labels(item.get("Labels")),
    )


def container_detail_from(answer: Mapping[str, Any]) -> ContainerDetail:
    """Read `GET /containers/{id}/json`. The address is the configured one while none is in use."""
    state = answer["State"]
    status = _status(state["Status"])
    networks = answer["NetworkSettings"].get("Networks") or {}
    return ContainerDetail(
        id=_text(answer["Id"]),
        name=_text(answer["Name"]).removeprefix("/"),
        status=status,
        health=_health(state.get("Health")),
        exit_code=int(state["ExitCode"]) if status in _ENDED else None,
        out_of_memory=bool(state["OOMKilled"]),
        error=str(state.get("Error") or ""),
        address=_address(networks),
        on_network=any(endpoint.get("EndpointID") for endpoint in networks.values()),
        labels=_labels(answer["Config"].get("Labels")),
        started_at=_moment(state.get("StartedAt")),
        ended_at=_moment(state.get("FinishedAt")) if status in _ENDED else None,
        takes_input=bool(answer["Config"].get("OpenStdin")),
        failed_check=_failed_check(state.get("Health")),
    )


def traffic_from(answer: Mapping[str, Any]) -> Traffic | None:
    """Read `GET /containers/{id}/stats`; None for a container that does not run."""
    interfaces = (answer.get("networks") or {}).values()
    if not interfaces:
        return None
    return Traffic(
        rx_packets=sum(interface["rx_packets"] for interface in interfaces),
        rx_bytes=sum(interface["rx_bytes"] for interface in interfaces),
        tx_packets=sum(interface["tx_packets"] for interface in interfaces),
        tx_bytes=sum(interface["tx_bytes"] for interface in interfaces),
    )


def event_from(line: bytes) -> EngineEvent | None:
    """Read one line of `GET /events`; None for other kinds."""
    message: Any = read_json(line, _EVENT_BOUNDS)
    kind = message["Type"]
    if kind not in _EVENT_KINDS:
        return None
    actor = message["Actor"]
    attributes = actor.get("Attributes") or {}
    labels = {key: value for key, value in attributes.items() if key not in _ENGINE_ATTRIBUTES}
    return EngineEvent(
        kind=kind,
        action=_text(message["Action"]),
        id=_text(actor["ID"]),
        labels=_labels(labels) if kind == "container" else {},
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in the place of a text")
    return value


def _labels(found: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: _text(value) for key, value in (found or {}).items()}


def _moment(text: str | None) -> datetime | None:
    """Parse a time; Go's zero time, in the year 1, means none."""
    if not text or text.startswith("0001-"):
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


def _status(text: Any) -> ContainerStatus:
    if text not in _STATUSES:
        raise ValueError(f"unknown container state {text!r}")
    status: ContainerStatus = text
    return status


def _health(answer: Mapping[str, Any] | None) -> Health:
    match (answer or {}).get("Status"):
        case "starting":
            return "starting"
        case "healthy":
            return "healthy"
        case "unhealthy":
            return "unhealthy"
        case _:
            return "none"


def _failed_check(answer: Mapping[str, Any] | None) -> str:
    checks = (answer or {}).get("Log") or []
    if not checks or checks[-1]["ExitCode"] == 0:
        return ""
    return str(checks[-1].get("Output") or "").strip() or f"exit code {checks[-1]['ExitCode']}"


def _address(networks: Mapping[str, Any]) -> str | None:
    for endpoint in networks.values():
        configured = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
        address = endpoint.get("IPAddress") or configured
        if address:
            return str(address)
    return None
