"""The operator's settings, read once at start from `APPROVAL_*` variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    field_validator,
    model_validator,
)

from approval_api.identity.openid_settings import OpenIdSettings
from approval_api.identity.program_token import ProgramToken
from approval_api.identity.report_key import ReportKey
from dryrun_contract.environment import ListenAddress, read_entries, read_settings
from dryrun_serving.networks import Proxies
from dryrun_serving.telemetry import CollectorUrl

PREFIX = "APPROVAL_"


class DatabaseSettings(BaseModel):
    """Settings of `migrate`; it ignores the other variables."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    database_url: SecretStr
    """`postgresql+asyncpg://…`; a secret, as it may hold a password."""
    migration_database_url: SecretStr | None = None
    """The same database by the role that owns the schema, where that is another one."""

    @property
    def owner_url(self) -> SecretStr:
        """The database, by the role that migrates it."""
        return self.migration_database_url or self.database_url

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _speaks_asyncpg(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith("postgresql+asyncpg://"):
            raise ValueError("expected postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE")
        return url

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises SettingsError that names every variable that is wrong."""
        return read_settings(cls, PREFIX, environ)


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How long a login is valid."""

    idle: timedelta
    longest: timedelta
    provider_word: timedelta
    """The greatest age of the provider's confirmation for a person who signs in by OpenID Connect."""


MIN_AUDIT_DAYS = 90
"""The database itself refuses to remove younger lines."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """For how long things are kept; None: for ever."""

    sessions: timedelta | None = None
    """Ended dry-runs, with everything of them."""
    events: timedelta | None = None
    """The events of ended dry-runs whose report is kept."""
    discoveries: timedelta | None = None
    """Discoveries of production that are gone and decided on; changes and scans."""
    audit: timedelta | None = None


class Settings(DatabaseSettings):
    """Settings of one API process. Durations are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: tuple[ProgramToken, ...] = ()
    """Tokens of programs; people make their own."""
    listen: ListenAddress = "127.0.0.1:8470"
    metrics_listen: ListenAddress | None = None
    """Where `/metrics` is served, and nothing else; without it, `listen` serves it beside the rest."""
    otlp_endpoint: CollectorUrl | None = None
    """The OpenTelemetry collector that gets traces and metrics; None: they are not exported."""
    public_url: HttpUrl | None = None
    """Where browsers reach this service, when a proxy stands before it; https makes cookies `Secure`."""
    trusted_proxies: str = ""
    """Addresses and networks, comma separated, whose `X-Forwarded-*` headers are believed."""
    login_idle_minutes: float = Field(default=480, gt=0)
    login_hours: float = Field(default=24, gt=0)
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_roles: str | None = None
    """`group=role+role`, comma separated."""
    oidc_roles_claim: str = "groups"
    oidc_scope: str = "openid profile email"
    oidc_title: str = "single sign-on"
    oidc_login_hours: float = Field(default=8, gt=0)
    """Logins are valid for this long after the provider confirmed the person."""
    oidc_token_days: float = Field(default=7, gt=0)
    """The same for their tokens: after this they are refused until the person signs in again."""
    gone_after_scans: int = Field(default=3, ge=1, le=100)
    """How many complete scans in a row that cover a production discovery and miss it make it gone."""
    reports_per_day: int = Field(default=10_000, ge=1, le=10_000_000)
    """Reports to production, begins and ends of scans included, of one person or program."""
    reported_mib_per_day: int = Field(default=1024, ge=1, le=1_000_000)
    """What they store of one person or program."""
    keep_sessions_days: int = Field(default=0, ge=0, le=36_500)
    """These four: 0 keeps for ever."""
    keep_events_days: int = Field(default=0, ge=0, le=36_500)
    keep_discoveries_days: int = Field(default=0, ge=0, le=36_500)
    keep_audit_days: int = Field(default=0, ge=0, le=36_500)
    dryrun: Literal["on", "off"] = "on"
    orchestrator_url: HttpUrl | None = None
    orchestrator_token: SecretStr | None = None
    start_seconds: float = Field(default=300, gt=0)
    """How long a start is retried while the orchestrator does not answer."""
    sessions_at_once: int = Field(default=10, ge=1, le=1000)
    sessions_per_person: int = Field(default=5, ge=1, le=1000)
    sessions_waiting: int = Field(default=50, ge=1, le=1000)
    """The most sessions that may wait for a free place."""
    sessions_waiting_per_person: int = Field(default=20, ge=1, le=1000)
    sessions_per_day: int = Field(default=10_000, ge=1, le=1_000_000)
    """The most that one person may request within a day, those of their experiments included."""
    requests_per_second: float = Field(default=50, gt=0)
    """For each person, or each address without valid credentials; each process counts on its own."""
    requests_burst: int = Field(default=500, ge=1)
    connections: int = Field(default=1024, ge=16, le=100_000)
    connections_per_address: int = Field(default=128, ge=1, le=100_000)
    """Trusted proxies may have more; behind them, concurrent requests count by the forwarded address."""
    head_seconds: float = Field(default=10, gt=0)
    """Longest time for the head of a request to arrive, and until the next request begins."""
    body_seconds: float = Field(default=30, gt=0)
    """Longest time for the body of a request to arrive."""
    streams: int = Field(default=256, ge=1, le=100_000)
    streams_per_person: int = Field(default=16, ge=1, le=100_000)
    """Event streams and live pages, together."""
    report_key: SecretStr | None = None
    """The private key that signs reports, Ed25519; without it none is signed."""
    heartbeat_seconds: float = Field(default=15, gt=0)
    """Longest silence on an event stream; proxies cut quieter connections."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("tokens", mode="before")
    @classmethod
    def _splits_entries(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        # One a line as in the other files of secrets, too: else two would be one token that nobody can show.
        entries = filter(None, map(str.strip, given.replace("\n", ",").split(",")))
        return tuple(read_entries(ProgramToken.parse, entries))

    @field_validator("tokens")
    @classmethod
    def _has_tokens_of_different_names(cls, tokens: tuple[ProgramToken, ...]) -> tuple[ProgramToken, ...]:
        names = [token.name for token in tokens]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the name {name!r} is used twice; names are unique")
        return tokens

    @field_validator("trusted_proxies")
    @classmethod
    def _lists_proxies(cls, listed: str) -> str:
        Proxies(listed)
        return listed

    @field_validator("keep_audit_days")
    @classmethod
    def _keeps_the_audit_log_for_a_while(cls, days: int) -> int:
        if 0 < days < MIN_AUDIT_DAYS:
            raise ValueError(f"expected 0, to keep it for ever, or at least {MIN_AUDIT_DAYS}")
        return days

    @field_validator("report_key")
    @classmethod
    def _is_a_key_or_nothing(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None or not key.get_secret_value().strip():
            return None
        ReportKey.read(key.get_secret_value())
        return key

    @model_validator(mode="after")
    def _knows_the_orchestrator_when_on(self) -> Self:
        if self.dryrun == "on" and (self.orchestrator_url is None or self.orchestrator_token is None):
            raise ValueError(
                f"{PREFIX}ORCHESTRATOR_URL and {PREFIX}ORCHESTRATOR_TOKEN are needed; "
                f"set {PREFIX}DRYRUN=off to serve without dry-runs"
            )
        return self

    @model_validator(mode="after")
    def _knows_all_of_a_provider_or_nothing(self) -> Self:
        _ = self.openid
        return self

    @property
    def openid(self) -> OpenIdSettings | None:
        """The OpenID Connect provider, if any. Raises ValueError when its settings are incomplete."""
        return OpenIdSettings.parse(
            self.oidc_issuer,
            self.oidc_client_id,
            self.oidc_client_secret,
            self.oidc_roles,
            roles_claim=self.oidc_roles_claim,
            scope=self.oidc_scope,
            title=self.oidc_title,
        )

    @property
    def login_limits(self) -> LoginLimits:
        """How long logins are valid."""
        return LoginLimits(
            idle=timedelta(minutes=self.login_idle_minutes),
            longest=timedelta(hours=self.login_hours),
            provider_word=timedelta(hours=self.oidc_login_hours),
        )

    @property
    def retention(self) -> RetentionPolicy:
        """For how long things are kept."""

        def days(number: int) -> timedelta | None:
            return timedelta(days=number) if number else None

        return RetentionPolicy(
            sessions=days(self.keep_sessions_days),
            events=days(self.keep_events_days),
            discoveries=days(self.keep_discoveries_days),
            audit=days(self.keep_audit_days),
        )

    @property
    def provider_word_for_tokens(self) -> timedelta:
        """How old the provider's confirmation of a token's owner may be."""
        return timedelta(days=self.oidc_token_days)

    @property
    def signing_key(self) -> ReportKey | None:
        """The key that signs reports, if any."""
        return None if self.report_key is None else ReportKey.read(self.report_key.get_secret_value())

    @property
    def address(self) -> tuple[str, int]:
        """Return the host and the port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
