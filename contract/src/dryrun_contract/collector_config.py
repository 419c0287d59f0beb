"""What a collector is told: JSON in `DISCOVERY_CONFIG`, with more in numbered variables when it is long."""

import hashlib
import json
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from dryrun_contract.base import Word
from dryrun_contract.discovery import Discovery

VARIABLE = "DISCOVERY_CONFIG"
MAX_PARTS = 8
CONFIG_KEYS = (VARIABLE, *(f"{VARIABLE}_{part}" for part in range(1, MAX_PARTS)))
MAX_PART_BYTES = 100 * 1024
"""The kernel takes 128 KiB in one environment string (MAX_ARG_STRLEN)."""
MAX_CONFIG_BYTES = MAX_PARTS * MAX_PART_BYTES

type Profile = Literal["quick", "full"]
"""`quick` looks at nmap's 1000 most common TCP ports, `full` at all of them."""


class Credential(Word):
    """A login of the client's credential store, by engine (`postgresql`, `mongodb`, …).

    With `at` it is shown at these IPv4 addresses and networks only. Without, wherever the engine's login
    proves a password and does not hand it over: anybody on the network can pretend to be a server that asks.
    """

    engine: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    username: str | None = None
    password: str = Field(repr=False)
    at: tuple[str, ...] = Field(default=(), max_length=1000)

    @field_validator("at")
    @classmethod
    def _are_networks(cls, at: tuple[str, ...]) -> tuple[str, ...]:
        for each in at:
            try:
                IPv4Network(each)
            except ValueError:
                raise ValueError(
                    "expected IPv4 addresses or networks, e.g. 10.0.0.7 or 10.0.0.0/24"
                ) from None
        return at

    def may_be_shown(self, address: str, *, in_clear: bool) -> bool:
        """Tell whether the server at `address` may see this login; `in_clear`: it would get the password.

        >>> login = Credential(engine="redis", password="x", at=("10.0.0.0/24",))
        >>> [login.may_be_shown(address, in_clear=True) for address in ("10.0.0.7", "10.0.1.7")]
        [True, False]
        >>> Credential(engine="redis", password="x").may_be_shown("10.0.0.7", in_clear=True)
        False
        """
        if not self.at:
            return not in_clear
        return any(IPv4Address(address) in IPv4Network(network) for network in self.at)


class CollectorConfig(Word):
    """Where to look and with what. Never the ground truth, not even through names."""

    version: Literal[1] = 1
    cidr: str
    """The network to scan, e.g. `10.213.0.0/27`."""
    self: str | None = None
    """The collector's own address; it is not a discovery."""
    exclude: tuple[str, ...] = ()
    """Addresses or networks that must not receive a packet."""
    profile: Profile = "quick"
    max_rate: int | None = Field(default=None, gt=0)
    """Packets per second at most; None leaves it to the collector."""
    credentials: tuple[Credential, ...] = ()
    discoveries: tuple[Discovery, ...] = ()
    """What earlier collectors found, of the kinds this one asked for."""


_OF_ONE_NETWORK = {"cidr", "self", "exclude", "discoveries"}
"""Where to look; the one thing that a rehearsal and its production run never have in common."""


class ConfigError(ValueError):
    """The configuration is missing, too large or not valid; the text says which and where."""


def to_environment(config: CollectorConfig) -> dict[str, str]:
    """Spread `config` over at most 8 variables of at most 100 KiB each. Raises ConfigError beyond that."""
    # Escaped to ASCII, so that a cut between two bytes is a cut between two characters.
    text = config.model_dump_json(exclude_none=True, ensure_ascii=True)
    parts = [text[start : start + MAX_PART_BYTES] for start in range(0, len(text), MAX_PART_BYTES)]
    if len(parts) > MAX_PARTS:
        raise ConfigError(
            f"a collector's configuration has {len(text)} bytes; "
            f"{MAX_CONFIG_BYTES} are the most ({MAX_PARTS} variables of {MAX_PART_BYTES} bytes)"
        )
    return dict(zip(CONFIG_KEYS, parts, strict=False))


def from_environment(environ: Mapping[str, str]) -> CollectorConfig:
    """Read the configuration back. Raises ConfigError that names the field."""
    if VARIABLE not in environ:
        raise ConfigError(f"the variable {VARIABLE} is not set; it holds the configuration as JSON")
    text = "".join(environ.get(key, "") for key in CONFIG_KEYS)
    try:
        return CollectorConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise ConfigError(f"{VARIABLE}: {where}: {first['msg']}") from None


def configuration_digest(config: CollectorConfig) -> str:
    """Return `sha256:…` over what a run's behaviour depends on wherever it runs.

    A rehearsal and a production run with one digest look for the same in the same way. Networks, addresses,
    discoveries and passwords are left out; a field that is added later counts. Logins count in their order,
    because that is the order in which they are tried, engine by engine.

    >>> rehearsed = CollectorConfig(cidr="10.213.0.0/27", self="10.213.0.30", max_rate=500)
    >>> production = CollectorConfig(cidr="192.0.2.0/24", max_rate=500)
    >>> configuration_digest(production) == configuration_digest(rehearsed)
    True
    """
    told = config.model_dump(mode="json", exclude={*_OF_ONE_NETWORK, "credentials"})
    # Sorted by engine alone: the sort keeps the order within one.
    logins = sorted(config.credentials, key=lambda login: login.engine)
    told["credentials"] = [[login.engine, login.username] for login in logins]
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode('ascii')).hexdigest()}"
