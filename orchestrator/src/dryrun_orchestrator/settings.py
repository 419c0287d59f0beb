"""What an operator sets, read once at start from `ORCHESTRATOR_*` variables."""

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
"""Cleanup begins this long before the deadline, so that the graceful way wins."""


class Settings(BaseModel):
    """Settings of one orchestrator. Durations are in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr = Field(min_length=16)
    """What the approval API shows as its bearer token."""
    listen: str = "127.0.0.1:8471"
    metrics_listen: str | None = None
    """Where `/metrics` is served, and nothing else; without it, `listen` serves it beside the rest."""
    state_dir: Path
    templates_dir: Path
    collectors_dir: Path
    allowlist: Path
    docker_host: str = "unix:///var/run/docker.sock"
    docker_cert_path: Path | None = None
    """Folder of `ca.pem`, `cert.pem` and `key.pem`: mutual TLS with what answers at a tcp:// address."""
    subnet_pool: IPv4Network = IPv4Network("10.213.0.0/16")
    subnet_prefix: int = Field(default=27, ge=26, le=27)
    """Size of one session's subnet: 20 targets, 2 collectors and the probe need a /27."""
    sessions_at_once: int = Field(default=2, ge=1, le=50)
    session_seconds: float = Field(default=MAX_SESSION.total_seconds(), ge=5, le=MAX_SESSION.total_seconds())
    provisioning_seconds: float = Field(default=120, gt=0)
    waiting_seconds: float = Field(default=180, gt=0)
    engine_wait_seconds: float = Field(default=20, ge=0)
    """How long an engine that does not answer is waited for before the network is made."""
    reaper_seconds: float = Field(default=30, gt=0)
    isolation_seconds: float = Field(default=30, gt=0, le=120)
    """While sessions are under way, isolation is proved again this long after it was proved last."""
    output_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    """Of one collector's output; what is beyond is not read and the report says truncated."""
    output_lines: int = Field(default=200_000, gt=0)
    """The same by lines, however short they are."""
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
        """Return how long a session may last from the making of its network."""
        return timedelta(seconds=self.session_seconds)

    @property
    def cleanup_lead(self) -> timedelta:
        """Return how long before the deadline cleanup begins: 60 s, or a third of a very short session."""
        return min(CLEANUP_LEAD, self.session_duration / 3)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises SettingsError that names every variable that is wrong.

        `DOCKER_HOST`, `DOCKER_TLS_VERIFY` (any value means TLS) and `DOCKER_CERT_PATH` are those of docker's
        own command.
        """
        found = read_environment("ORCHESTRATOR_", environ)
        if "DOCKER_HOST" in environ:
            found.setdefault("docker_host", environ["DOCKER_HOST"])
        if environ.get("DOCKER_TLS_VERIFY") and found.get("docker_host", "").startswith("tcp://"):
            if not environ.get("DOCKER_CERT_PATH"):
                raise SettingsError(
                    "DOCKER_TLS_VERIFY is set; DOCKER_CERT_PATH has to name the folder of ca.pem, "
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
