"""The API's address and token, from the environment and the command line."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from dryrun_cli.errors import WrongUseError
from dryrun_contract.environment import SettingsError, read_environment

PREFIX = "DRYRUN_API_"
DEFAULT_API_URL = "http://127.0.0.1:8470"


class Settings(BaseModel):
    """`DRYRUN_API_URL` and `DRYRUN_API_TOKEN` (or `DRYRUN_API_TOKEN_FILE`)."""

    model_config = ConfigDict(frozen=True)

    api_url: str = DEFAULT_API_URL
    api_token: SecretStr | None = None


def read_settings(environ: Mapping[str, str], api_url: str | None = None) -> Settings:
    """Return the settings; `api_url` overrides the environment. Raises WrongUseError with the source."""
    try:
        found = read_environment(PREFIX, environ)
    except SettingsError as error:
        raise WrongUseError(str(error)) from error
    source = "--api-url" if api_url is not None else f"{PREFIX}URL"
    url = (api_url or found.get("url") or DEFAULT_API_URL).rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise WrongUseError(f"{source}: {url!r} is not an HTTP address; expected e.g. {DEFAULT_API_URL}")
    token = found.get("token", "").strip()
    if token and not (token.isascii() and token.isprintable()):
        raise WrongUseError(f"{PREFIX}TOKEN contains characters that a token cannot have; copy it again")
    return Settings(api_url=url, api_token=SecretStr(token) if token else None)
