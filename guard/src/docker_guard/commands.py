"""The commands besides `serve`: pin images, show the allowlist, explain a decision, check health."""

import argparse
import asyncio
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker_guard.calls.gate import Asked
from docker_guard.calls.routes import Route, find_route, judge_request
from docker_guard.clients.listeners import parse_listen
from docker_guard.clients.request_head import parse_path, parse_query
from docker_guard.engine.client import Engine
from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.rules import labels
from docker_guard.rules.allowlist import (
    AllowlistFile,
    ImageRow,
    TmpfsRow,
    faults_of,
    faults_of_image,
    load_allowlist,
    read_file,
    role_of,
    write_file,
)
from docker_guard.rules.bodies import CreateContainer, CreateNetwork
from docker_guard.rules.container_rules import (
    ContainerDraft,
    container_body,
    fit_into_session,
    judge_container,
)
from docker_guard.rules.network_rules import SessionNetwork, judge_network
from docker_guard.rules.policy import ConfigurationError, Policy
from docker_guard.rules.system_calls import named

_HEALTH_SECONDS = 5.0


def pin(options: argparse.Namespace) -> int:
    """Write the current IDs of images, and what a client may choose for them, into the allowlist."""
    policy = Policy.load(options.policy)
    file = read_file(options.allowlist) if options.allowlist.exists() else AllowlistFile()
    rows = dict(file.images)
    for name, found in asyncio.run(_inspect(options.docker, policy, options.image)).items():
        try:
            row = ImageRow(
                id=found["Id"],
                environment=tuple(options.environment),
                capabilities=tuple(options.capability),
                read_only=not options.writable_root,
                tmpfs=dict(map(_tmpfs, options.tmpfs)),
                size=found.get("Size", 0),
            )
        except ValueError as error:
            raise ConfigurationError(f"{name}: {error}") from None
        faults = [*faults_of(name, row, policy), *faults_of_image(found.get("Config") or {}, policy)]
        if faults:
            raise ConfigurationError(f"{name} cannot be pinned: {'; '.join(faults)}")
        rows[name] = row
        _say(f"{name} {row.id} ({role_of(name, policy)})")
    write_file(options.allowlist, AllowlistFile(images=dict(sorted(rows.items()))))
    return 0


def show_allowlist(options: argparse.Namespace) -> int:
    """Print the images that may run, and what a client may choose for each."""
    allowlist = load_allowlist(options.allowlist, Policy.load(options.policy))
    rows = [("IMAGE", "ID", "ROLE", "ROOT", "CAPABILITIES", "ENVIRONMENT", "TMPFS")]
    for image in allowlist.images.values():
        row = image.row
        mounts = (f"{path}={mount.size >> 10}K" for path, mount in row.tmpfs.items())
        root = "read-only" if row.read_only else "writable"
        capabilities, environment, tmpfs = (
            " ".join(each) or "-" for each in (row.capabilities, row.environment, mounts)
        )
        rows.append((image.name, row.id[7:19], image.role, root, capabilities, environment, tmpfs))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for *cells, last in rows:
        _say("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]))
    return 0


def check(options: argparse.Namespace) -> int:
    """Print what would be decided, as far as that needs no engine; return 1 for a refusal.

    A container is judged as if its session's network existed, with the same labels and the pool as subnet.
    """
    policy = Policy.load(options.policy)
    body = _read(options.body) if options.body else b""
    path, _, query = options.path.partition("?")
    try:
        route, reference = find_route(options.method, parse_path(path))
        parameters = parse_query(query) if query else {}
        asked = judge_request(route, reference, parameters, body, is_json=True)
        decided = _decided_body(asked, options.allowlist, policy)
    except Refusal as refusal:
        _say(json.dumps({"verdict": "refused", "rule": refusal.rule, "reason": refusal.reason}, indent=2))
        return 1
    _say(json.dumps(_explained(route, asked, decided), indent=2))
    return 0


def healthcheck(options: argparse.Namespace) -> int:
    """Request `/_ping`; return 0 when guard and engine answer."""
    scheme, place, port = parse_listen(options.listen)
    family = socket.AF_UNIX if scheme == "unix" else socket.AF_INET6 if ":" in place else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(_HEALTH_SECONDS)
            connection.connect(place if scheme == "unix" else (place, port))
            connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n")
            answer = connection.makefile("rb").read(4096).decode("latin-1")
    except OSError as error:
        _say(f"{options.listen}: {error}")
        return 1
    _say(answer.partition("\r\n")[0])
    return 0 if answer.startswith("HTTP/1.1 200 ") else 1


def _decided_body(asked: Asked, allowlist: Path, policy: Policy) -> dict[str, Any] | None:
    match asked.body:
        case CreateNetwork():
            return judge_network(asked.body, policy, datetime.now(UTC))
        case CreateContainer():
            draft = judge_container(asked.body, load_allowlist(allowlist, policy), policy)
            network = _assumed_network(draft, policy)
            fit_into_session(draft, network)
            decided = container_body(draft, network.name)
            hidden = [f"{entry.partition('=')[0]}=[hidden]" for entry in draft.environment]
            security = [named(option) for option in draft.security]
            return {
                **decided,
                "Env": hidden,
                "HostConfig": {**decided["HostConfig"], "SecurityOpt": security},
            }
        case _:
            return None


def _assumed_network(draft: ContainerDraft, policy: Policy) -> SessionNetwork:
    shared = {key: draft.labels[key] for key in labels.SHARED}
    name = labels.network_name(draft.session_id)
    return SessionNetwork(name, name, draft.session_id, policy.subnet_pool, shared)


def _explained(route: Route, asked: Asked, decided: dict[str, Any] | None) -> dict[str, Any]:
    explained: dict[str, Any] = {"verdict": "allowed", "route": route.name, "query": dict(asked.query)}
    if asked.reference:
        explained["if"] = f"{asked.reference} carries a session's label; otherwise the answer is 404"
    if decided is not None:
        explained["if"] = (
            "the engine enforces limits, the session's network fits, its deadline has not passed "
            "and no ceiling is reached"
        )
        explained["body"] = decided
    return explained


async def _inspect(docker: str, policy: Policy, images: list[str]) -> dict[str, dict[str, Any]]:
    engine = Engine(docker, policy)
    found = {}
    try:
        for name in images:
            reply = await engine.call("GET", f"/images/{name}/json")
            if reply.status != 200:
                raise ConfigurationError(f"{name}: {reply.message or reply.status}")
            found[name] = reply.json()
    except EngineDownError as error:
        raise ConfigurationError(str(error)) from None
    finally:
        await engine.close()
    return found


def _tmpfs(text: str) -> tuple[str, TmpfsRow]:
    path, *numbers = text.split(":")
    size, uid, gid, mode = [*numbers, *("", "0", "0", "0755")[len(numbers) :]]
    return path, TmpfsRow(size=int(size), uid=int(uid), gid=int(gid), mode=mode)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None


def _say(text: str) -> None:
    print(text)  # noqa: T201 - a command speaks to its user
