"""What would not work of the settings, by what Compose makes of them and by the rules of who reads that."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from advice import Hint
from control_host import advice_on_fleet
from guard_policy import Beside, advice_on_policy
from settings_file import DEPLOY, Json, SettingsFile, environment_of
from state_folder import StateFolder

from approval_api.deliveries.sending.settings import DeliverySettings
from approval_api.settings import Settings as ApprovalSettings
from dryrun_contract.environment import SettingsError
from dryrun_orchestrator.settings import Settings as OrchestratorSettings

HOST_RULE = DEPLOY / "host-rule"
PRIVATE = [IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
RETIRED = {"DRYRUN_BRIDGES": "drs", "DRYRUN_OUTSIDE_BRIDGE": "dro-outside"}
"""Settings of an earlier release, with the only value that had no effect."""
BY_NAME = (
    "the services' bridges are named drs… and dro… (of a fleet drf-…), because the host rule goes by that. "
    "For a second deployment on this machine set DRYRUN_BRIDGES_SUFFIX to up to four letters and digits, "
    "since a name has up to 15 characters; FLEET_BRIDGES is drf or drf-…"
)
BRIDGES = {"outside": r"dro[A-Za-z0-9]{0,4}-\w.*", "guards": r"drf-.+"}
OTHER_BRIDGES = r"drs[A-Za-z0-9]{0,4}-\w.*"
"""How a network's bridge is named: what the host rule goes by, and then what the settings add."""
SERVICES: Mapping[str, Callable[[Mapping[str, str]], object]] = {
    "approval-api": ApprovalSettings.read,
    "approval-delivery": DeliverySettings.read,
    "dryrun-orchestrator": OrchestratorSettings.read,
}
STAND_INS = {"_URL_FILE": "postgresql+asyncpg://postgres", "_TOKEN_FILE": "sixteen characters"}
"""Values in place of secrets, which services require and the settings do not hold."""
NAMES_HERE = {"ORCHESTRATOR_SUBNET_POOL": "DRYRUN_SUBNET_POOL", "APPROVAL_DRYRUN": "DRYRUN"}
"""A service's name of a setting → its name in the settings here, where they differ."""
OF_COMPOSE = {"COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES"}
OF_PROGRAMS = {
    *(
        f"COMPOSE_{each}"
        for each in ("PARALLEL_LIMIT", "IGNORE_ORPHANS", "REMOVE_ORPHANS", "ANSI", "PROGRESS")
    ),
    *(f"DOCKER_{each}" for each in ("HOST", "CONTEXT", "CONFIG", "TLS_VERIFY", "CERT_PATH")),
}
"""Variables for Compose and for docker; the first ones say what runs."""


@dataclass(frozen=True)
class Deployment:
    """The settings, and the folder that goes with them."""

    settings: SettingsFile
    state: StateFolder

    @cached_property
    def orchestrator(self) -> OrchestratorSettings | None:
        """The orchestrator's settings, where it runs and starts with them."""
        with suppress(KeyError, SettingsError):
            return OrchestratorSettings.read(self._environment("dryrun-orchestrator"))
        return None

    @property
    def client(self) -> str | None:
        """The address from which the guard is asked, where one runs."""
        networks = self.settings.model["services"].get("dryrun-orchestrator", {}).get("networks") or {}
        found: str | None = (networks.get("engine") or {}).get("ipv4_address")
        return found

    def faults(self) -> Iterator[str]:
        """Yield what services would end with, and what the host rule would not shut off."""
        model = self.settings.model
        for name, harmless in RETIRED.items():
            if self.settings.values.get(name, harmless) not in {"", harmless}:
                removed = "is no longer a setting; run docker compose down, and remove the line"
                yield f"{self._given(name)} {removed}: {BY_NAME}"
        yield from self._folder_of_secrets()
        yield from self._names_of_bridges()
        try:
            edge = IPv4Network(model["networks"]["edge"]["ipam"]["config"][0]["subnet"])
            addresses = edge.supernet(new_prefix=24)
        except (LookupError, ValueError):
            addresses = IPv4Network("0.0.0.0/0")
        prefix = f"{self._given('DRYRUN_PREFIX')}: write the first three numbers of a private address"
        if not any(map(addresses.subnet_of, PRIVATE)):
            yield f"{prefix}, 10.212.254 for example"
        pool = self.orchestrator.subnet_pool if self.orchestrator else None
        if pool and addresses.overlaps(pool):
            yield f"{prefix} that is not in DRYRUN_SUBNET_POOL, {pool}, where sessions are"
        if pool and not any(map(pool.subnet_of, PRIVATE)):
            yield f"{self._given('DRYRUN_SUBNET_POOL')}: write a private network, 10.213.0.0/16 for example"
        for service in filter(model["services"].__contains__, SERVICES):
            try:
                SERVICES[service](self._environment(service))
            except SettingsError as error:
                reason = re.sub(r"[A-Z_]+", lambda name: NAMES_HERE.get(name[0], name[0]), str(error))
                yield f"{service} does not start with {self.settings.path}: {reason}"

    def _folder_of_secrets(self) -> Iterator[str]:
        secret = Path((self.settings.model.get("secrets") or {}).get("database_app_url", {}).get("file", ""))
        if not secret.name:
            yield (
                f"{self._given('COMPOSE_FILE')}: these files have no database_app_url among their secrets' "
                "files; compose.yaml has to be the first of them"
            )
        elif secret.resolve().parent != (state := self.state.path) / "secrets":
            yield f"{self._given('DRYRUN_STATE')}: {secret} is not in --state {state}; name one folder"

    def _names_of_bridges(self) -> Iterator[str]:
        services, networks = self.settings.model["services"], self.settings.model["networks"]
        own = [
            name for name, each in services.items() if re.search(r"(?:^|/)discovery/", each.get("image", ""))
        ]
        ours = [services[name] for name in own]
        for name in own:
            if (mode := services[name].get("network_mode", "none")) != "none":
                yield (
                    f"a Compose file gives {name} the network_mode {mode}: the host rule goes by the "
                    "bridges of its own networks; remove it"
                )
        for name in sorted({name for service in ours for name in service.get("networks") or ()}):
            options = networks[name].get("driver_opts") or {}
            bridge = options.get("com.docker.network.bridge.name", "")
            is_named = re.fullmatch(BRIDGES.get(name, OTHER_BRIDGES), bridge) and len(bridge) < 16
            if not is_named and not networks[name].get("external"):
                given = " and ".join(self._given(each) for each in self.settings.values if "BRIDGES" in each)
                yield f"{given or 'a Compose file'}: the network {name} has the bridge '{bridge}'; {BY_NAME}"

    def advice(self, *, dryrun: bool) -> Iterator[str]:
        """Yield what is left to do, for dry-runs or without them, in the settings and elsewhere.

        What is no Hint the start has to wait for.
        """
        if (self.settings.values["DRYRUN"] == "off") is dryrun:
            kind, switch, profile, first = (
                ("with", "on", "add dryrun to", "")
                if dryrun
                else (
                    "without", "off", "take dryrun out of",
                    "end each session (dryrun stop ID), since nothing removes it afterwards; ",
                )
            )  # fmt: skip
            yield (
                f"{self._given('DRYRUN')} stays. For {kind}-dryrun: {first}docker compose down, then write "
                f"DRYRUN={switch} there and {profile} COMPOSE_PROFILES"
            )
        install = f"{HOST_RULE}/dryrun-host-rule install"
        services = self.settings.model["services"]
        if self.orchestrator:
            if (fleet := self.orchestrator.fleet) is not None:
                yield from advice_on_fleet(self.settings.model, fleet, self.state.policy.parent)
            pool, rule = self.orchestrator.subnet_pool, HOST_RULE / "rule.nft"
            ours = f"DRYRUN_SUBNET_POOL in {self.settings.path} is {pool}"
            if "docker-proxy" in services:
                beside = Beside(
                    self.orchestrator.sessions_at_once, pool, ours,
                    None if self.client is None else IPv4Address(self.client),
                    "docker compose up -d --wait --no-deps --force-recreate docker-proxy",
                    "docker compose restart docker-proxy",
                )  # fmt: skip
                yield from advice_on_policy(self.state.policy, beside)
                yield from self._advice_on_socket(services["docker-proxy"])
            (sessions,) = re.findall(r"(?m)^define sessions = (\S+)$", rule.read_text(encoding="utf-8"))
            if not pool.subnet_of(IPv4Network(sessions)):
                yield (
                    f'check "sessions" in {rule}: it is {sessions}, and {ours}, so approval-delivery is not '
                    f"kept from sessions; write {pool} there, then: {install}"
                )
        yield from self._advice_on_variables()

    def _advice_on_socket(self, guard: Json) -> Iterator[str]:
        """Settings that come from another host name its group."""
        bound = {each.get("target"): each.get("source") for each in guard.get("volumes") or []}
        socket = Path(bound.get("/var/run/docker.sock") or os.devnull)
        if not socket.is_socket():
            return
        group = str(socket.stat().st_gid)
        if group not in map(str, guard.get("group_add") or []):
            yield (
                f"{self._given('DOCKER_GID')}: the guard cannot open {socket}, whose group is {group}; "
                f"write DOCKER_GID={group} there"
            )

    def _advice_on_variables(self) -> Iterator[str]:
        """Compose says nothing about a variable that it does not use, or that a shell overrides."""
        named = os.environ.get("COMPOSE_FILE") or self.settings.values.get("COMPOSE_FILE", "")
        added = ["fleet/compose.control.yaml", *named.split(":")]
        files = {*DEPLOY.glob("compose*.yaml"), *(DEPLOY / each for each in added)}
        text = "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
        found = re.findall(r"(?m)\$\{?([A-Za-z_]\w*)|^ +(?:- )?([A-Z]+_[A-Z_]+):?$", text)
        used = {name for names in found for name in names if name} | OF_COMPOSE
        for name in sorted(self.settings.values.keys() - used.union(OF_PROGRAMS)):
            nearest = "".join(f"did you mean {each}? " for each in get_close_matches(name, used, 1, 0.85))
            yield Hint(
                f"check {name} in {self.settings.path}: compose.yaml does not use it; {nearest}Remove it; "
                "a setting that compose.yaml does not pass on belongs in compose.override.yaml"
            )
        for name in sorted(used & os.environ.keys()):
            if os.environ[name] != self.settings.values.get(name):
                yield Hint(f"{self._given(name)} overrides {self.settings.path}: unset it, or write it there")

    def _given(self, name: str) -> str:
        if name in os.environ:
            return f"{name}={os.environ[name]} in this shell's environment"
        return f"{name}={self.settings.values.get(name, '')} in {self.settings.path}"

    def _environment(self, service: str) -> dict[str, str]:
        given = environment_of(self.settings.model, service)
        found = {name: value for name, value in given.items() if not name.endswith("_FILE")}
        for ending, value in STAND_INS.items():
            found |= {name.removesuffix("_FILE"): value for name in given if name.endswith(ending)}
        if found.get("APPROVAL_OIDC_ISSUER"):
            found["APPROVAL_OIDC_CLIENT_SECRET"] = "stands for it"
        return found
