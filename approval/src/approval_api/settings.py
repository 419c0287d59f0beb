"""What an operator sets, read once at start from `APPROVAL_*` variables."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from dryrun_contract.environment import SettingsError, read_environment

PREFIX = "APPROVAL_"
MIN_TOKEN_CHARACTERS = 16


class DatabaseSettings(BaseModel):
    """What `migrate` needs. Other variables are another command's business."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    database_url: SecretStr
    """`postgresql+asyncpg://…`; a secret, as it may hold a password."""

    @field_validator("database_url")
    @classmethod
    def _speaks_asyncpg(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith("postgresql+asyncpg://"):
            raise ValueError("expected postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE")
        return url

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises SettingsError that names every variable that is wrong."""
        try:
            return cls.model_validate(read_environment(PREFIX, environ))
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            raise SettingsError("; ".join(_told(fault["loc"], fault["msg"]) for fault in faults)) from None


def _told(location: tuple[int | str, ...], message: str) -> str:
    if not location:
        return message
    return f"{PREFIX}{'.'.join(map(str, location)).upper()}: {message}"


class Settings(DatabaseSettings):
    """Settings of one API process. Durations are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: dict[str, SecretStr]
    """Name of who asks → the bearer token they show."""
    listen: str = "127.0.0.1:8470"
    dryrun: Literal["on", "off"] = "on"
    orchestrator_url: HttpUrl | None = None
    orchestrator_token: SecretStr | None = None
    start_seconds: float = Field(default=300, gt=0)
    """How long a start is tried again while the orchestrator does not answer."""
    heartbeat_seconds: float = Field(default=15, gt=0)
    """Longest silence on an event stream; proxies cut what is quiet for longer."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("tokens", mode="before")
    @classmethod
    def _splits_names_and_tokens(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        tokens: dict[str, str] = {}
        for entry in filter(None, map(str.strip, given.split(","))):
            name, separator, token = entry.partition(":")
            if not separator or not name.strip():
                raise ValueError("expected name:token, comma separated")
            if name in tokens:
                raise ValueError(f"the name {name!r} stands twice; names are unique")
            tokens[name.strip()] = token.strip()
        return tokens

    @field_validator("tokens")
    @classmethod
    def _tokens_are_long_enough(cls, tokens: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if not tokens:
            raise ValueError(
                "no token given; without one nobody may ask. Expected name:token, comma separated"
            )
        for name, token in tokens.items():
            if len(token.get_secret_value()) < MIN_TOKEN_CHARACTERS:
                raise ValueError(f"the token of {name!r} is shorter than {MIN_TOKEN_CHARACTERS} characters")
            if not name.isascii() or not name.isprintable():
                raise ValueError(f"the name {name!r} travels in a header; use printable ASCII")
        return tokens

    @field_validator("listen")
    @classmethod
    def _is_host_and_port(cls, listen: str) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError("expected HOST:PORT")
        return listen

    @model_validator(mode="after")
    def _knows_the_orchestrator_when_on(self) -> Self:
        if self.dryrun == "on" and (self.orchestrator_url is None or self.orchestrator_token is None):
            raise ValueError(
                f"{PREFIX}ORCHESTRATOR_URL and {PREFIX}ORCHESTRATOR_TOKEN are needed; "
                f"set {PREFIX}DRYRUN=off to serve without dry-runs"
            )
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Return the host and the port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
