"""Settings, read once at start from `ORCHESTRATOR_*` variables."""

import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from dryrun_contract.environment import ListenAddress, SettingsError, checked_settings, read_environment
from dryrun_contract.fault_words import in_words
from dryrun_contract.network import exact_network
from dryrun_contract.pool import ANY_TEMPLATE, MAX_PREPARED, PREPARED_FOR
from dryrun_contract.session import MAX_SEED
from dryrun_serving.telemetry import CollectorUrl

PREFIX = "ORCHESTRATOR_"
PROBE_IMAGE = "discovery/test-collector-probe:1.0"
MAX_SESSION = timedelta(minutes=30)
CLEANUP_LEAD = timedelta(seconds=60)
"""Cleanup begins this long before the deadline, so that it ends before the guard removes by force."""


REPLACEMENT_LEAD = timedelta(seconds=60)
"""A prepared session gets a replacement this long before it is too old to be claimed."""
MEBIBYTE = 1024 * 1024


class Stock(BaseModel):
    """How many sessions of a template and seed, or networks for any template, are kept prepared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = Field(pattern=PREPARED_FOR)
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    count: int = Field(ge=1, le=50)

    @classmethod
    def read(cls, text: str) -> tuple[Self, ...]:
        """Read a list. Raises ValueError.

        >>> [(each.template, each.seed, each.count) for each in Stock.read("small=1, medium:1000=2")]
        [('small', 0, 1), ('medium', 1000, 2)]
        >>> [(each.template, each.count) for each in Stock.read("*=1")]
        [('*', 1)]
        """
        found: dict[tuple[str, str], Self] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = re.fullmatch(r"(\*|[a-z0-9-]+)(?::([0-9]+))?=([0-9]+)", part)
            if match is None:
                raise ValueError(
                    f"{part!r}: expected TEMPLATE=COUNT or TEMPLATE:SEED=COUNT, e.g. small=1, "
                    "or *=COUNT for networks that any template can take"
                )
            template, seed, count = match[1], match[2] or "0", match[3]
            if template == ANY_TEMPLATE and match[2]:
                raise ValueError(f"{part!r}: a network for any template has no seed; write *={count}")
            try:
                stock = cls.model_validate({"template": template, "seed": seed, "count": count})
            except ValidationError as error:
                fault = error.errors(include_url=False, include_input=False)[0]
                raise ValueError(f"{part!r}: {fault['loc'][0]}: {in_words(fault)}") from None
            if found.setdefault((stock.template, str(stock.seed)), stock) is not stock:
                raise ValueError(f"{part!r}: its template and seed stand there twice")
        return tuple(found.values())


class Settings(BaseModel):
    """Settings of one orchestrator. Durations are in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr = Field(min_length=16)
    """The bearer token of the approval API."""
    listen: ListenAddress = "127.0.0.1:8471"
    metrics_listen: ListenAddress | None = None
    """Address of a listener that serves only `/metrics`; without it, `listen` serves `/metrics` too."""
    otlp_endpoint: CollectorUrl | None = None
    """The OpenTelemetry collector that gets traces and metrics; without it, nobody does."""
    state_dir: Path
    templates_dir: Path
    replicas_dir: Path | None = None
    """A second folder of templates, for those made from inventories; it may be missing."""
    collectors_dir: Path
    allowlist: Path
    docker_host: str = "unix:///var/run/docker.sock"
    fleet: Path | None = None
    """The fleet file, for several hosts; without it, sessions run on the one at `docker_host`."""
    docker_cert_path: Path | None = None
    """Folder of `ca.pem`, `cert.pem` and `key.pem`, for mutual TLS at a tcp:// address."""
    subnet_pool: IPv4Network = IPv4Network("10.213.0.0/16")
    subnet_prefix: int = Field(default=27, ge=26, le=27)
    """Size of one session's subnet: 20 targets, 2 collectors and the probe need a /27."""
    sessions_at_once: int = Field(default=2, ge=1, le=50)
    session_seconds: float = Field(default=MAX_SESSION.total_seconds(), ge=5, le=MAX_SESSION.total_seconds())
    provisioning_seconds: float = Field(default=120, gt=0)
    """A session fails whose network, proof and containers take longer."""
    waiting_seconds: float = Field(default=180, gt=0)
    """A session fails whose targets are not all ready this long after it began to start them."""
    engine_wait_seconds: float = Field(default=20, ge=0)
    """How long a new session waits for an engine that does not answer."""
    reaper_seconds: float = Field(default=30, gt=0)
    isolation_seconds: float = Field(default=30, gt=0, le=120)
    """While sessions run, isolation is proved again after this time."""
    pool: tuple[Stock, ...] = ()
    """Sessions to keep prepared, in a fleet on each host, e.g. `small=1,medium:1000=1`; `*=1` is a network
    that any template can take. None by default."""
    pool_least_seconds: float | None = Field(default=None, gt=0, le=MAX_SESSION.total_seconds())
    """Least time that a claimed session has left until its deadline; half of `session_seconds` by default."""
    pool_spare_memory: int = Field(default=1024 * MEBIBYTE, ge=0)
    """Memory of this host, in bytes, that prepared sessions leave free; in a fleet of each host."""
    output_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    """Most output read from one collector; beyond it the report says truncated."""
    output_lines: int = Field(default=200_000, gt=0)
    """The same limit in lines, however short."""
    output_discoveries: int = Field(default=20_000, gt=0)
    output_not_understood: int = Field(default=5_000, gt=0)
    """Most lines outside the contract: each, however short, costs the engine as much as a discovery."""
    probe_image: str = PROBE_IMAGE

    @field_validator("pool", mode="before")
    @classmethod
    def _is_a_list_of_stocks(cls, pool: object) -> object:
        return Stock.read(pool) if isinstance(pool, str) else pool

    @field_validator("subnet_pool", mode="before")
    @classmethod
    def _is_a_network_of_ipv4(cls, given: object) -> object:
        network = exact_network(given) if isinstance(given, str) else given
        if isinstance(network, IPv6Network):
            raise ValueError(f"{network} is not a network of IPv4")  # noqa: TRY004 - for Pydantic
        return network

    @model_validator(mode="after")
    def _places_hold_the_pool(self) -> Self:
        wanted = sum(stock.count for stock in self.pool)
        if self.fleet is None and wanted > self.sessions_at_once:
            raise ValueError(
                f"ORCHESTRATOR_POOL: {wanted} sessions cannot be kept prepared in the "
                f"{self.sessions_at_once} places of ORCHESTRATOR_SESSIONS_AT_ONCE"
            )
        if self.fleet is not None and any(stock.template == ANY_TEMPLATE for stock in self.pool):
            raise ValueError(
                "ORCHESTRATOR_POOL: in a fleet no network is prepared for any template (*=COUNT), because "
                "where a session stands depends on its template; name templates instead"
            )
        # In a fleet each host has places of its own, by the fleet file.
        if wanted > MAX_PREPARED:
            raise ValueError(
                f"ORCHESTRATOR_POOL: {wanted} sessions cannot be kept prepared on each host; "
                f"at most {MAX_PREPARED} are allowed"
            )
        # What is prepared is replaced one lead before it has less left. Without another one it would be
        # replaced as soon as it is ready, again and again.
        most = min(
            self.session_duration - self.cleanup_lead, self.session_duration - 2 * self.replacement_lead
        )
        if self.least_left > most:
            raise ValueError(
                f"ORCHESTRATOR_POOL_LEAST_SECONDS: of a session of {self.session_seconds:g} s, "
                f"at most {most.total_seconds():g} s can be left to whoever claims it"
            )
        return self

    @model_validator(mode="after")
    def _pool_holds_a_subnet(self) -> Self:
        if self.subnet_pool.prefixlen > self.subnet_prefix:
            raise ValueError(
                f"ORCHESTRATOR_SUBNET_POOL: {self.subnet_pool} is smaller than a /{self.subnet_prefix}"
            )
        if not self.subnet_pool.is_private:
            raise ValueError(f"ORCHESTRATOR_SUBNET_POOL: {self.subnet_pool} is not private (RFC 1918)")
        return self

    @property
    def session_duration(self) -> timedelta:
        """Return the longest time from the creation of a session's network to its deadline."""
        return timedelta(seconds=self.session_seconds)

    @property
    def cleanup_lead(self) -> timedelta:
        """Return how long before the deadline cleanup begins: 60 s, or a third of a short session."""
        return min(CLEANUP_LEAD, self.session_duration / 3)

    @property
    def least_left(self) -> timedelta:
        """Return the least time that a claimed session has left until its deadline."""
        if self.pool_least_seconds is None:
            return self.session_duration / 2
        return timedelta(seconds=self.pool_least_seconds)

    def least_left_of(self, template: str) -> timedelta:
        """Return the same for what is prepared of a template.

        A network saves a session only half a second and costs little to renew, so it must not cost the
        session much of its time.
        """
        if template != ANY_TEMPLATE:
            return self.least_left
        return max(self.least_left, (self.session_duration - self.cleanup_lead) * 5 / 6)

    @property
    def replacement_lead(self) -> timedelta:
        """Return how long before a prepared session is too old its replacement is prepared."""
        return min(REPLACEMENT_LEAD, self.session_duration / 10)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises SettingsError, which names every wrong variable.

        `DOCKER_HOST`, `DOCKER_TLS_VERIFY` (any value means TLS) and `DOCKER_CERT_PATH` mean what they mean
        to the `docker` command.
        """
        found = read_environment(PREFIX, environ)
        if "DOCKER_HOST" in environ:
            found.setdefault("docker_host", environ["DOCKER_HOST"])
        if environ.get("DOCKER_TLS_VERIFY") and found.get("docker_host", "").startswith("tcp://"):
            if not environ.get("DOCKER_CERT_PATH"):
                raise SettingsError(
                    "DOCKER_TLS_VERIFY is set; DOCKER_CERT_PATH must name the folder of ca.pem, "
                    "cert.pem and key.pem"
                )
            found["docker_cert_path"] = environ["DOCKER_CERT_PATH"]
        return checked_settings(cls, PREFIX, found, environ)
