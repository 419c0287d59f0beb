"""Settings, read once at start from `ORCHESTRATOR_*` variables."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network
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

from dryrun_contract.environment import SettingsError, read_environment

MAX_SESSION = timedelta(minutes=30)
CLEANUP_LEAD = timedelta(seconds=60)
"""Cleanup begins this long before the deadline, so that it ends before the guard removes by force."""


class Settings(BaseModel):
    """Settings of one orchestrator. Durations are in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr = Field(min_length=16)
    """The bearer token of the approval API."""
    listen: str = "127.0.0.1:8471"
    metrics_listen: str | None = None
    """Address of a listener that serves only `/metrics`; without it, `listen` serves `/metrics` too."""
    state_dir: Path
    templates_dir: Path
    collectors_dir: Path
    allowlist: Path
    docker_host: str = "unix:///var/run/docker.sock"
    docker_cert_path: Path | None = None
    """Folder of `ca.pem`, `cert.pem` and `key.pem`, for mutual TLS at a tcp:// address."""
    subnet_pool: IPv4Network = IPv4Network("10.213.0.0/16")
    subnet_prefix: int = Field(default=27, ge=26, le=27)
    """Size of one session's subnet: 20 targets, 2 collectors and the probe need a /27."""
    sessions_at_once: int = Field(default=2, ge=1, le=50)
    session_seconds: float = Field(default=MAX_SESSION.total_seconds(), ge=5, le=MAX_SESSION.total_seconds())
    provisioning_seconds: float = Field(default=120, gt=0)
    waiting_seconds: float = Field(default=180, gt=0)
    engine_wait_seconds: float = Field(default=20, ge=0)
    """How long a new session waits for an engine that does not answer."""
    reaper_seconds: float = Field(default=30, gt=0)
    isolation_seconds: float = Field(default=30, gt=0, le=120)
    """While sessions run, isolation is proved again after this time."""
    output_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    """Most output read from one collector; beyond it the report says truncated."""
    output_lines: int = Field(default=200_000, gt=0)
    """The same limit in lines, however short."""
    output_discoveries: int = Field(default=20_000, gt=0)
    probe_image: str = "discovery/test-collector-probe:1.0"

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_host_and_port(cls, listen: str | None) -> str | None:
        host, _, port = (listen or "").rpartition(":")
        if listen is None:
            return None
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError("expected HOST:PORT")
        return listen

    @model_validator(mode="after")
    def _pool_holds_a_subnet(self) -> Self:
        if self.subnet_pool.prefixlen > self.subnet_prefix:
            raise ValueError(f"subnet_pool {self.subnet_pool} is smaller than a /{self.subnet_prefix}")
        if not self.subnet_pool.is_private:
            raise ValueError(f"subnet_pool {self.subnet_pool} is not private (RFC 1918)")
        return self

    @property
    def session_duration(self) -> timedelta:
        """Return the longest time from the creation of a session's network to its deadline."""
        return timedelta(seconds=self.session_seconds)

    @property
    def cleanup_lead(self) -> timedelta:
        """Return how long before the deadline cleanup begins: 60 s, or a third of a short session."""
        return min(CLEANUP_LEAD, self.session_duration / 3)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises SettingsError, which names every wrong variable.

        `DOCKER_HOST`, `DOCKER_TLS_VERIFY` (any value means TLS) and `DOCKER_CERT_PATH` mean what they mean
        to the `docker` command.
        """
        found = read_environment("ORCHESTRATOR_", environ)
        if "DOCKER_HOST" in environ:
            found.setdefault("docker_host", environ["DOCKER_HOST"])
        if environ.get("DOCKER_TLS_VERIFY") and found.get("docker_host", "").startswith("tcp://"):
            if not environ.get("DOCKER_CERT_PATH"):
                raise SettingsError(
                    "DOCKER_TLS_VERIFY is set; DOCKER_CERT_PATH must name the folder of ca.pem, "
                    "cert.pem and key.pem"
                )
            found["docker_cert_path"] = environ["DOCKER_CERT_PATH"]
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            faults = [
                f"ORCHESTRATOR_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
                for fault in error.errors(include_url=False, include_input=False)
            ]
            raise SettingsError("\n".join(faults)) from None
