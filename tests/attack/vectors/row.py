"""What one attack is made of, and the requests of a well-behaved orchestrator that attacks start from.

A request is data. Words between two @ are filled in when it is sent: what the laboratory made for this run
(`@SESSION@`, `@VICTIM_ID@`, …; `guard_lab.Facts` lists them). `@EVIL@` is a body that would give the host
away, `@EVIL_LENGTH@` its length in bytes, `@EVIL_HEX@` the same in hexadecimal digits, as a chunk has it.
"""

import copy
import json
from dataclasses import dataclass
from typing import Any, Final

REFUSED: Final = frozenset(
    {400, 403, 404, 405, 406, 409, 411, 413, 414, 415, 417, 421, 422, 426, 429, 431, 501, 505}
)
"""Any answer that says no. The engine, the victims and the answer's bytes are judged in any case."""
CLOSED: Final = 0
"""The connection was closed, or stayed silent, without an answer."""
DROPPED: Final = REFUSED | {CLOSED, 408}
"""For requests that are none: a server may hang up without a word."""
ALLOWED: Final = frozenset({200, 201, 204, 304})
HARMLESS: Final = REFUSED | ALLOWED
"""Either answer is right: what counts is that the engine's object is exactly what the guard would make."""

API: Final = "/v1.45"
CREATE: Final = f"{API}/containers/create?name=@NAME@"
CREATE_NETWORK: Final = f"{API}/networks/create"

EVIL: Final = (
    '{"Image":"@IMAGE@","HostConfig":{"Privileged":true,"Binds":["/:/host"]},"Labels":{"attack":"@NONCE@"}}'
)
"""Accepted by an engine, and by the proxies that look at method and path only."""


@dataclass(frozen=True, slots=True)
class Vector:
    """One attack. `body` is JSON-able, or text or bytes to send as they are; `wire` replaces all of it."""

    id: str
    what: str
    rule: str
    """The guard's rule that has to stop it, in the threat model's words."""
    method: str = "POST"
    path: str = CREATE
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    wire: str | bytes | None = None
    """Everything that is sent on one connection, for requests that no client library would write."""
    answers: frozenset[int] = REFUSED
    more_answers: int = 0
    """How many further answers the wire may get; more than that, and something was smuggled."""
    seconds: float = 10.0
    """How long to wait for the connection's end. Short for requests that stay incomplete on purpose."""
    alone: bool = False
    """True when an engine without a guard accepts it (201): then the suite proves that it is dangerous."""


def container(**changes: Any) -> dict[str, Any]:
    """Return the body of a legitimate target with top-level fields replaced; None removes one."""
    body: dict[str, Any] = {
        "Image": "@IMAGE@",
        "Env": ["GREETING=hello"],
        "Labels": labels(),
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "HostConfig": {
            "NetworkMode": "@NETWORK@",
            "Privileged": False,
            "CapDrop": ["ALL"],
            "CapAdd": [],
            "SecurityOpt": ["no-new-privileges:true"],
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "Init": False,
            "Memory": 512 * 1024 * 1024,
            "MemorySwap": 512 * 1024 * 1024,
            "NanoCpus": 500_000_000,
            "PidsLimit": 100,
            "OomScoreAdj": 1000,
            "Ulimits": [
                {"Name": "msgqueue", "Soft": 0, "Hard": 0},
                {"Name": "sigpending", "Soft": 1024, "Hard": 1024},
            ],
            "ReadonlyRootfs": True,
            "Tmpfs": {"/scratch": "rw,noexec,nosuid,nodev,size=1048576,mode=0755,uid=33,gid=33"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10485760", "max-file": "1"}},
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,
            "PublishAllPorts": False,
        },
        "NetworkingConfig": {
            "EndpointsConfig": {
                "@NETWORK@": {"IPAMConfig": {"IPv4Address": "@ADDRESS@"}, "Aliases": ["attacked"]}
            }
        },
    }
    return _changed(body, changes)


def labels(**changes: Any) -> dict[str, Any]:
    """Return the labels of a legitimate target; names without the design's prefix, None removes one."""
    values: dict[str, Any] = {
        "session_id": "@SESSION@",
        "owner": "@OWNER@",
        "service": "attacked",
        "role": "target",
        "template": "small",
        "image": "@IMAGE_NAME@",
        "expires_at": "@EXPIRES@",
    }
    return {f"discovery.dryrun.{name}": value for name, value in _changed(values, changes).items()}


def collector(**fields: Any) -> dict[str, Any]:
    """Return the body of a legitimate collector with HostConfig fields replaced."""
    body = host(**({"CapAdd": ["NET_RAW"], "Tmpfs": {}} | fields))
    return body | {
        "Image": "@COLLECTOR@",
        "Env": [],
        "Labels": labels(role="collector", image="@COLLECTOR_NAME@"),
    }


def host(**fields: Any) -> dict[str, Any]:
    """Return a legitimate target's body with HostConfig fields replaced; None removes one."""
    body = container()
    body["HostConfig"] = _changed(body["HostConfig"], fields)
    return body


def endpoint(**fields: Any) -> dict[str, Any]:
    """Return a legitimate target's body with fields of its one endpoint replaced; None removes one."""
    body = container()
    endpoints = body["NetworkingConfig"]["EndpointsConfig"]
    endpoints["@NETWORK@"] = _changed(endpoints["@NETWORK@"], fields)
    return body


def networks(**endpoints: Any) -> dict[str, Any]:
    """Return a legitimate target's body on other networks; two underscores stand for the placeholder's @."""
    named = {name.replace("__", "@"): settings for name, settings in endpoints.items()}
    return container(NetworkingConfig={"EndpointsConfig": named})


def network(**changes: Any) -> dict[str, Any]:
    """Return the body of a second session's legitimate network with fields replaced; None removes one."""
    body: dict[str, Any] = {
        "Name": "dryrun-@NEW_SESSION@",
        "Driver": "bridge",
        "Internal": True,
        "EnableIPv6": False,
        "Attachable": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "@NEW_SUBNET@"}]},
        "Options": {
            "com.docker.network.bridge.name": "@NEW_BRIDGE@",
            "com.docker.network.bridge.inhibit_ipv4": "true",
        },
        "Labels": {
            "discovery.dryrun.session_id": "@NEW_SESSION@",
            "discovery.dryrun.owner": "@OWNER@",
            "discovery.dryrun.template": "small",
            "discovery.dryrun.expires_at": "@EXPIRES@",
        },
    }
    return _changed(body, changes)


def network_labels(**changes: Any) -> dict[str, Any]:
    """Return the labels of a legitimate network, replaced as `labels` does."""
    kept = dict.fromkeys(("service", "role", "image"))
    return labels(**({"session_id": "@NEW_SESSION@"} | kept | changes))


def options(**changes: Any) -> dict[str, Any]:
    """Return a legitimate network's driver options; one underscore stands for a dot."""
    named = {f"com.docker.network.{name.replace('_', '.', 1)}": value for name, value in changes.items()}
    return {**network()["Options"], **named}


def text_top(fragment: str) -> str:
    """Return a legitimate target's body as text with `fragment` as its last top-level member."""
    return json.dumps(container())[:-1] + "," + fragment + "}"


def text_host(fragment: str, *, first: bool = False) -> str:
    """Return a legitimate target's body as text with `fragment` as a further member of HostConfig."""
    whole = json.dumps(container())
    inner = json.dumps(container()["HostConfig"])
    changed = f"{{{fragment},{inner[1:]}" if first else f"{inner[:-1]},{fragment}}}"
    assert inner in whole
    return whole.replace(inner, changed)


def _changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(values) | changes
    return {name: value for name, value in merged.items() if value is not None}
