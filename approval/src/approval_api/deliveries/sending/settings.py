"""Settings of the process that delivers, read once at start from `DELIVERY_*` variables."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, HttpUrl, SecretStr, field_validator

from approval_api.egress.hosts import HostList, NotAllowedError, Place
from approval_api.egress.mail import MailServer
from dryrun_contract.environment import ListenAddress, read_entries, read_settings
from dryrun_contract.network import exact_network

PREFIX = "DELIVERY_"

_BETWEEN = re.compile(r"\n|,(?=[^,\n]*[@=])")
"""Between two credentials. A comma is of the secret where neither `@` nor `=` comes before the next one or
the end: what may be meant for another credential is read as one, or refused, not sent to this one's host."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret, and the only place where it is shown."""

    place: Place
    secret: SecretStr

    @classmethod
    def parse(cls, entry: str) -> tuple[str, Self]:
        """Read `name@host[:port]=secret`. Raises ValueError, which does not quote the secret."""
        named, _, secret = entry.partition("=")
        name, _, where = named.partition("@")
        if not (name.strip() and where.strip() and re.fullmatch(r"[\x20-\x7e]+", secret.strip())):
            raise ValueError(
                "expected name@host=secret in printable ASCII, one a line or comma separated; "
                "after a comma of a secret, it has neither @ nor ="
            )
        try:
            place = Place.listed(where.strip())
        except NotAllowedError as error:
            raise ValueError(f"{name.strip()}: {error}") from None
        return name.strip(), cls(place, SecretStr(secret.strip()))


class DeliverySettings(BaseModel):
    """Settings of one delivering process."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    database_url: SecretStr
    """`postgresql+asyncpg://…` of the role `approval_delivery`, or of one that may take it."""
    hosts: HostList
    """Where it may send to: `host[:port][=network+network]`, comma separated."""
    own_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Public networks of the deployment itself, comma separated; refused like private ones."""
    credentials: dict[str, Credential] = {}
    """`name@host[:port]=secret`, a line or a comma between them: what destinations name. A secret may contain
    commas, also at its end, and no `@` or `=` after one. None is shown to another host, whatever address an
    administrator gives a destination."""
    ca: str | None = None
    """Certificates to trust in place of the system's, in PEM."""
    public_url: HttpUrl | None = None
    """Where browsers reach the service: links in notifications begin with it."""
    smtp: str | None = None
    """The mail server, as an entry of the list of hosts."""
    smtp_login: SecretStr | None = None
    """`user:password`."""
    smtp_from: str = "discovery@localhost"
    mail_domains: frozenset[str] = frozenset()
    """Domains that mail may go to, comma separated."""
    metrics_listen: ListenAddress | None = None
    """`HOST:PORT` that serves `/metrics`, and nothing else; without it nothing listens."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("hosts", mode="before")
    @classmethod
    def _reads_hosts(cls, given: object) -> object:
        return HostList.parse(given) if isinstance(given, str) else given

    @field_validator("smtp")
    @classmethod
    def _is_one_server(cls, entry: str | None) -> str | None:
        if entry is not None:
            MailServer.parse(entry)
        return entry

    @field_validator("ca")
    @classmethod
    def _holds_certificates(cls, pem: str | None) -> str | None:
        if not pem:
            return None
        # What stands between the certificates may be in any language.
        certificates = pem.encode("ascii", "ignore").decode()
        try:
            ssl.create_default_context(cadata=certificates)
        except ssl.SSLError as error:
            raise ValueError("expected certificates in PEM") from error
        return certificates

    @field_validator("own_networks", mode="before")
    @classmethod
    def _reads_networks(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        return read_entries(exact_network, filter(None, map(str.strip, given.split(","))))

    @field_validator("mail_domains", mode="before")
    @classmethod
    def _splits_lists(cls, given: object) -> object:
        return list(filter(None, map(str.strip, given.split(",")))) if isinstance(given, str) else given

    @field_validator("credentials", mode="before")
    @classmethod
    def _splits_credentials(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        return dict(read_entries(Credential.parse, filter(None, map(str.strip, _BETWEEN.split(given)))))

    @property
    def authorities(self) -> str | None:
        """Return the certificates to trust, in PEM: those of the setting, or the system's."""
        system = ssl.get_default_verify_paths().cafile
        return self.ca or (None if system is None else Path(system).read_text("ascii", "ignore"))

    @property
    def matrix_tokens(self) -> dict[Place, str]:
        """Return the access tokens for rooms of Matrix by homeserver: credentials named `matrix…`."""
        return {
            each.place: each.secret.get_secret_value()
            for name, each in self.credentials.items()
            if name.startswith("matrix")
        }

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment. Raises SettingsError that names every variable that is wrong."""
        return read_settings(cls, PREFIX, environ)
