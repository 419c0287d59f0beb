"""The laboratory: images, foreign victims, a guard before the real engine, and a session made through it."""

import json
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from engine_socket import ENGINE_SOCKET, Answer, EngineSocket, exchange, request_bytes
from engine_tap import EngineTap
from guard_process import GuardProcess
from local_stack import ROOT
from vectors import row

POLICY = {"sweep_seconds": 1, "removal_seconds": 3, "sessions": 60, "containers": 2000}
"""Room for what others run on the same engine; its ceilings are attacked by a guard of their own."""

BASE_IMAGE: Final = "discovery/base:13"
SESSION_LABEL: Final = "discovery.dryrun.session_id"
VICTIM_LABEL: Final = "attack.victim"
_PLACEHOLDER = re.compile(rb"@([A-Z0-9_]+)@")
_SUBNETS = list(IPv4Network("10.213.192.0/20").subnets(new_prefix=27))
_OF_VECTORS, _OF_SESSIONS = _SUBNETS[:16], _SUBNETS[16:]
_numbers = count(secrets.randbelow(len(_OF_SESSIONS)))
PARTS: Final = 15
"""How many long values an environment may have beside its first."""
_SLEEPER = ['CMD ["sh", "-c", "echo ready; exec sleep 3600"]', "STOPSIGNAL SIGKILL"]

type Facts = dict[str, str]
"""What placeholders of the vectors stand for."""


def timestamp(seconds: float) -> str:
    """Return a deadline that many seconds from now, as label `expires_at` has it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def filled(value: bytes, facts: Mapping[str, str]) -> bytes:
    """Put facts in for placeholders."""

    def fact(found: re.Match[bytes]) -> bytes:
        return facts[found[1].decode()].encode()

    if b"@EVIL" in value:
        evil = _PLACEHOLDER.sub(fact, row.EVIL.encode())
        value = value.replace(b"@EVIL_LENGTH@", str(len(evil)).encode())
        value = value.replace(b"@EVIL_HEX@", f"{len(evil):x}".encode()).replace(b"@EVIL@", evil)
    return _PLACEHOLDER.sub(fact, value)


class Lab:
    """Everything one run of the suite makes on the engine; all of it is removed at the end."""

    def __init__(self, folder: Path, tap: EngineTap) -> None:
        self.nonce = secrets.token_hex(4)
        self.folder = folder
        self.tap = tap
        self.engine = EngineSocket()
        self.facts: Facts = {"NONCE": self.nonce, "OWNER": str(uuid4()), "EXPIRES": timestamp(1500)}
        self.secrets: list[bytes] = []
        self.victims: list[str] = []
        self.victim_networks: list[str] = []
        self.guard: GuardProcess

    # -- what the run needs on the engine ------------------------------------------------------------------

    def make_images(self) -> None:
        name = f"discovery/test-attack-{self.nonce}:1"
        collector = f"discovery/test-collector-attack-{self.nonce}:1"
        outside = f"attack-{self.nonce}/outside:1"
        image = self._commit(name, ["ENV WHO=target", *_SLEEPER])
        collecting = self._commit(collector, ["ENV WHO=collector", *_SLEEPER])
        foreign = self._commit(outside, [f"ENV WHO=outside-{self.nonce}", *_SLEEPER])
        self.facts |= {
            "IMAGE": image,
            "IMAGE_NAME": name,
            "IMAGE_SHORT": image[7:19],
            "IMAGE_UPPER": f"sha256:{image[7:].upper()}",
            "COLLECTOR": collecting,
            "COLLECTOR_NAME": collector,
            "OUTSIDE_ID": foreign,
            "OUTSIDE_HEX": foreign[7:],
            "OUTSIDE_SHORT": foreign[7:19],
            "OUTSIDE_NAME": outside,
            "PREFIXED_NAME": f"discovery/test-outside-{self.nonce}:1",
            "RETAGGED_NAME": f"discovery/test-retagged-{self.nonce}:1",
            "MISSING_NAME": f"discovery/test-missing-{self.nonce}:1",
            "SPARE_NAME": f"attack-{self.nonce}/spare:1",
            "VOLUME_NAME": f"discovery/test-volume-{self.nonce}:1",
            "RESTLESS_NAME": f"discovery/test-restless-{self.nonce}:1",
        }
        self.facts["VOLUME"] = self._commit(self.facts["VOLUME_NAME"], ["VOLUME /data", *_SLEEPER])
        restless = "HEALTHCHECK --interval=1ms CMD true"
        self.facts["RESTLESS"] = self._commit(self.facts["RESTLESS_NAME"], [restless, *_SLEEPER])
        for tag in ("PREFIXED_NAME", "RETAGGED_NAME", "SPARE_NAME"):
            self.tag(foreign, self.facts[tag])
        self.secrets.append(f"outside-{self.nonce}".encode())

    def allowlist(self) -> dict[str, Any]:
        tmpfs = {"/scratch": {"size": 1048576, "uid": 33, "gid": 33, "mode": "0755"}}
        listed = {"environment": ["GREETING"], "capabilities": [], "read_only": True, "tmpfs": tmpfs}
        plain = {"facts": {}, "size": 1}
        target = {"id": self.facts["IMAGE"], **listed, **plain}
        return {
            "version": 1,
            "images": {
                self.facts["IMAGE_NAME"]: target,
                # Listed with the ID of a time before it was tagged anew.
                self.facts["RETAGGED_NAME"]: target | {"id": f"sha256:{'ab' * 32}"},
                self.facts["MISSING_NAME"]: target | {"id": f"sha256:{'cd' * 32}"},
                self.facts["VOLUME_NAME"]: target | {"id": self.facts["VOLUME"]},
                self.facts["RESTLESS_NAME"]: target | {"id": self.facts["RESTLESS"]},
                self.facts["COLLECTOR_NAME"]: {
                    "id": self.facts["COLLECTOR"],
                    "environment": ["DISCOVERY_CONFIG", *(f"PART_{n}" for n in range(PARTS))],
                    "capabilities": ["NET_RAW"],
                    "read_only": True,
                    "tmpfs": {},
                    "arguments": [["echo", "{cidr}", "--self={self}", "{exclude}"], ["echo", "{rate}"]],
                    "max_rate": 5000,
                    **plain,
                },
                **json.loads((ROOT / ".dryrun" / "allowlist.json").read_text())["images"],
            },
        }

    def tag(self, image: str, name: str) -> None:
        repository, _, tag = name.rpartition(":")
        self.engine.must("POST", f"/images/{image}/tag?repo={repository}&tag={tag}")

    def _commit(self, name: str, changes: list[str]) -> str:
        body = {"Image": BASE_IMAGE, "Cmd": ["true"], "Labels": {VICTIM_LABEL: self.nonce}}
        made = self.engine.must("POST", "/containers/create", body)["Id"]
        try:
            repository, _, tag = name.rpartition(":")
            query = "&".join(f"changes={quote(change, safe='')}" for change in changes)
            config = {"Labels": {"attack.run": self.nonce}}
            path = f"/commit?container={made}&repo={repository}&tag={tag}&{query}"
            return str(self.engine.must("POST", path, config)["Id"])
        finally:
            self.engine.remove_container(made)

    def make_session(self) -> None:
        """Make two sessions through the guard: the attacker's own with a target, and another one."""
        for prefix in ("", "OTHER_"):
            self.facts |= {f"{prefix}{name}": value for name, value in self.new_session().items()}
            body = self.render_json(row.network(), self._as_new(prefix))
            made = self.guard.must("POST", row.CREATE_NETWORK, body)["Id"]
            self.facts[f"{prefix}NETWORK_ID"] = made
            self.facts[f"{prefix}TARGET_NAME"] = f"dryrun-attack-{prefix.lower()}target-{self.nonce}".replace(
                "_", "-"
            )
            create = row.CREATE.replace("@NAME@", self.facts[f"{prefix}TARGET_NAME"])
            target = self.guard.must("POST", create, self.target_body(prefix))["Id"]
            self.facts[f"{prefix}TARGET_ID"] = target
            self.guard.must("POST", f"{row.API}/containers/{target}/start")

    def _as_new(self, prefix: str) -> Facts:
        return self.facts | {
            f"NEW_{name}": self.facts[f"{prefix}{name}"] for name in ("SESSION", "SUBNET", "BRIDGE")
        }

    def new_session(self) -> Facts:
        """Return the facts of a session that nobody has made yet."""
        session, subnet = str(uuid4()), self._free_subnet()
        return {
            "SESSION": session,
            "SESSION_UPPER": session.upper(),
            "NETWORK": f"dryrun-{session}",
            "BRIDGE": f"dr-{session.replace('-', '')[:12]}",
            "SUBNET": str(subnet),
            "BASE": str(subnet[0]),
            "GATEWAY": str(subnet[1]),
            "FIRST": str(subnet[2]),
            "ADDRESS": str(subnet[9]),
            "BROADCAST": str(subnet[-1]),
        }

    def _free_subnet(self) -> IPv4Network:
        """Return a subnet that no network of the engine has."""
        listed = [entry for found in self.engine.networks() for entry in found["IPAM"]["Config"] or ()]
        taken = {entry.get("Subnet") for entry in listed}
        for _ in _OF_SESSIONS:
            subnet = _OF_SESSIONS[next(_numbers) % len(_OF_SESSIONS)]
            if str(subnet) not in taken:
                return subnet
        raise AssertionError("every subnet of the suite is taken: remove the networks that earlier runs left")

    def target_body(self, prefix: str = "", **facts: str) -> Any:
        """Return a legitimate target's body for the attacker's session or the other one."""
        own = {name: self.facts[f"{prefix}{name}"] for name in ("SESSION", "NETWORK")}
        own |= {"ADDRESS": self.facts[f"{prefix}FIRST"]}
        return self.render_json(row.container(), self.facts | own | facts)

    def make_victims(self) -> None:
        """Make what the guard must never show or touch, directly on the engine."""
        network = self._victim_network(f"prod-{self.nonce}", f"pr-{self.nonce}")
        alike = self._victim_network(f"dryrun-{uuid4()}", f"al-{self.nonce}")
        self.facts |= {
            "VICTIM_NETWORK": f"prod-{self.nonce}",
            "VICTIM_NETWORK_ID": network,
            "VICTIM_NETWORK_SHORT": network[:12],
            "VICTIM_BRIDGE": f"pr-{self.nonce}",
            "LOOKALIKE_NETWORK": str(self.engine.get(f"/networks/{alike}")["Name"]),
            "LOOKALIKE_NETWORK_ID": alike,
        }
        session = self.facts["SESSION"]
        self._victim("VICTIM", {}, f"prod-{self.nonce}")
        self._victim("LONGER", {SESSION_LABEL: f"{session}-x"}, "none")
        self._victim("UPPER", {SESSION_LABEL.upper(): session}, "none", start=False)
        self._victim("EMPTY", {SESSION_LABEL: ""}, "none")
        self._victim("GUEST", {}, self.facts["NETWORK"])
        self._victim("ALIKE", {}, "none", name=f"dryrun-alike-{self.nonce}")
        victim = self.facts["VICTIM_ID"]
        self.facts |= {
            "VICTIM_SHORT": victim[:12],
            "VICTIM_PREFIX": victim[:7],
            "VICTIM_DIGIT": victim[0],
            "VICTIM_ENCODED": f"%{ord(victim[0]):02x}{victim[1:]}",
        }

    def _victim(
        self, word: str, labels: Mapping[str, str], network: str, *, start: bool = True, name: str = ""
    ) -> None:
        name = name or f"{word.lower()}-of-another-{self.nonce}"
        secret = f"secret-{word.lower()}-{self.nonce}"
        body = {
            "Image": self.facts["OUTSIDE_ID"],
            "Env": [f"PASSWORD={secret}"],
            "Labels": {VICTIM_LABEL: self.nonce, **labels},
            "HostConfig": {"NetworkMode": network, "Memory": 2**26},
        }
        made = str(self.engine.must("POST", f"/containers/create?name={name}", body)["Id"])
        if start:
            self.engine.must("POST", f"/containers/{made}/start")
        self.facts |= {f"{word}_ID": made, f"{word}_NAME": name}
        self.victims.append(made)
        self.secrets += [secret.encode(), made.encode(), made[:12].encode(), name.encode()]

    def _victim_network(self, name: str, bridge: str) -> str:
        body = {
            "Name": name,
            "Driver": "bridge",
            "Internal": True,
            "IPAM": {"Config": [{"Subnet": str(self._free_subnet())}]},
            "Options": {"com.docker.network.bridge.name": bridge},
            "Labels": {VICTIM_LABEL: self.nonce},
        }
        made = str(self.engine.must("POST", "/networks/create", body)["Id"])
        self.victim_networks.append(made)
        self.secrets += [made.encode(), made[:12].encode(), name.encode()]
        return made

    # -- requests ------------------------------------------------------------------------------------------

    def vector_facts(self) -> Facts:
        """Return all facts, with a name and a session of their own for one vector."""
        fresh = {f"NEW_{name}": value for name, value in self._next_session().items()}
        moments = {
            "IN_31_MINUTES": timestamp(31 * 60),
            "IN_30_MINUTES_AND_2_S": timestamp(30 * 60 + 2),
            "NOW": timestamp(0),
            "LATER": timestamp(29 * 60),
            "EXPIRES_PLUS_14": timestamp(14 * 3600 + 60).replace("Z", "+14:00"),
        }
        return self.facts | fresh | moments | {"NAME": f"dryrun-attack-{self.nonce}-{next(_numbers)}"}

    def _next_session(self) -> Facts:
        session = str(uuid4())
        subnet = _OF_VECTORS[next(_numbers) % len(_OF_VECTORS)]
        return {
            "SESSION": session,
            "SESSION_UPPER": session.upper(),
            "BRIDGE": f"dr-{session.replace('-', '')[:12]}",
            "SUBNET": str(subnet),
            "BASE": str(subnet[0]),
            "ADDRESS": str(subnet[2]),
        }

    def render_json(self, body: Any, facts: Mapping[str, str]) -> Any:
        return json.loads(filled(json.dumps(body).encode(), facts))

    def render(self, vector: row.Vector, facts: Mapping[str, str]) -> bytes:
        """Return the bytes of a vector's request."""
        if vector.wire is not None:
            return filled(vector.wire if isinstance(vector.wire, bytes) else vector.wire.encode(), facts)
        body = vector.body
        if body is not None and not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
        path = filled(vector.path.encode(), facts).decode()
        return request_bytes(
            vector.method, path, vector.headers, None if body is None else filled(body, facts)
        )

    def attack(self, vector: row.Vector, facts: Mapping[str, str]) -> tuple[bytes, Answer]:
        """Send a vector to the guard; return what was sent and what came back."""
        sent = self.render(vector, facts)
        return sent, exchange(self.guard.address, sent, vector.seconds)

    # -- the end -------------------------------------------------------------------------------------------

    def remove_everything(self) -> None:
        """Remove what this run made, by its nonce in labels, names and images."""
        engine = self.engine
        mine = self.nonce
        images = {self.facts.get(name) for name in ("IMAGE", "COLLECTOR", "OUTSIDE_ID", "VOLUME", "RESTLESS")}
        for found in engine.containers():
            named = any(mine in name for name in found["Names"])
            if named or found["ImageID"] in images or mine in found["Labels"].values():
                engine.remove_container(found["Id"])
        sessions = {value for name, value in self.facts.items() if name.endswith("SESSION")}
        for network in engine.networks():
            labels = network["Labels"] or {}
            owned = (
                labels.get(SESSION_LABEL) in sessions
                or labels.get("discovery.dryrun.owner") == self.facts["OWNER"]
            )
            if owned or labels.get(VICTIM_LABEL) == mine or mine in network["Name"]:
                engine.remove_network(network["Id"])
        for image, tags in engine.images().items():
            for tag in tags:
                if mine in tag:
                    engine.must("DELETE", f"/images/{tag}?force=1")
            if image in images and image in engine.images():
                engine.must("DELETE", f"/images/{image}?force=1")


@contextmanager
def open_lab(*, tcp: bool = False, policy: Mapping[str, Any] | None = None) -> Iterator[Lab]:
    """Run a laboratory for the time of the block."""
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="dg-")))
        tap = exits.enter_context(EngineTap(folder / "engine.sock", ENGINE_SOCKET))
        lab = Lab(folder, tap)
        exits.callback(lab.engine.close)
        exits.callback(lab.remove_everything)
        lab.make_images()
        lab.guard = GuardProcess(folder, tap.path, lab.allowlist(), tcp=tcp, policy=policy)
        exits.enter_context(lab.guard)
        lab.make_session()
        lab.make_victims()
        yield lab
