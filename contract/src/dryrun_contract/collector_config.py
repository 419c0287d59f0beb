"""The configuration of a collector run: JSON in `DISCOVERY_CONFIG`, continued in numbered variables."""

import hashlib
import json
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from dryrun_contract.base import Word
from dryrun_contract.discovery import Discovery
from dryrun_contract.faults import first_fault

VARIABLE = "DISCOVERY_CONFIG"
MAX_PARTS = 8
CONFIG_KEYS = (VARIABLE, *(f"{VARIABLE}_{part}" for part in range(1, MAX_PARTS)))
MAX_PART_BYTES = 100 * 1024
"""The kernel accepts 128 KiB in one environment string (MAX_ARG_STRLEN)."""
MAX_CONFIG_BYTES = MAX_PARTS * MAX_PART_BYTES

type Profile = Literal["quick", "full"]
"""`quick` scans some 2500 TCP ports, nmap's most common and documented defaults; `full` all of them."""


class Credential(Word):
    """One entry of the client's credential store, by engine (`postgresql`, `mongodb`, …).

    With `at` it is sent to these IPv4 addresses and networks only. Without `at` it is used wherever the
    engine's protocol proves the password without sending it: anybody on the network can pose as a server.
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
        """Return whether the server at `address` may get this credential; `in_clear`: with the password.

        >>> credential = Credential(engine="redis", password="x", at=("10.0.0.0/24",))
        >>> [credential.may_be_shown(address, in_clear=True) for address in ("10.0.0.7", "10.0.1.7")]
        [True, False]
        >>> Credential(engine="redis", password="x").may_be_shown("10.0.0.7", in_clear=True)
        False
        """
        if not self.at:
            return not in_clear
        return any(IPv4Address(address) in IPv4Network(network) for network in self.at)


class CollectorConfig(Word):
    """Where to scan and with which credentials. Never the ground truth, not even through names."""

    version: Literal[1] = 1
    cidr: str
    """The network to scan, e.g. `10.213.0.0/27`."""
    self: str | None = None
    """The collector's own address; it is not a discovery."""
    exclude: tuple[str, ...] = ()
    """Addresses or networks to which no packet may be sent."""
    profile: Profile = "quick"
    max_rate: int | None = Field(default=None, gt=0)
    """Packets per second at most; None: the collector decides."""
    credentials: tuple[Credential, ...] = ()
    discoveries: tuple[Discovery, ...] = ()
    """Discoveries of earlier collectors, of the kinds that this one needs."""
    awaits_discoveries: bool = False
    """The discoveries come on standard input, once the earlier collectors have ended: one `InputLine`."""


class InputLine(Word):
    """One line of JSON on standard input of a collector that awaits discoveries.

    Other lines, such as one that was cut off and is sent again, are to be skipped.
    """

    discoveries: tuple[Discovery, ...]


MAX_INPUT_BYTES = 2_000_000
"""Longest input line, with its line break; guards pass on 2 MiB."""

_OF_ONE_NETWORK = {"cidr", "self", "exclude", "discoveries", "awaits_discoveries"}
"""Where to scan: the fields that a rehearsal and its production run never have in common."""


class ConfigError(ValueError):
    """The configuration is missing, too large or invalid; the text says which and where."""


def to_environment(config: CollectorConfig) -> dict[str, str]:
    """Return `config` as at most 8 variables of at most 100 KiB each. Raises ConfigError beyond that."""
    # A collector of an older contract refuses a field that it does not know: it gets none that means nothing.
    unused = set() if config.awaits_discoveries else {"awaits_discoveries"}
    # Escaped to ASCII, so that a cut between two bytes is a cut between two characters.
    text = config.model_dump_json(exclude_none=True, ensure_ascii=True, exclude=unused)
    parts = [text[start : start + MAX_PART_BYTES] for start in range(0, len(text), MAX_PART_BYTES)]
    if len(parts) > MAX_PARTS:
        raise ConfigError(
            f"the collector's configuration has {len(text)} bytes; "
            f"{MAX_CONFIG_BYTES} are the most ({MAX_PARTS} variables of {MAX_PART_BYTES} bytes)"
        )
    return dict(zip(CONFIG_KEYS, parts, strict=False))


def to_input(discoveries: tuple[Discovery, ...]) -> bytes:
    """Return the line that hands over `discoveries`. Raises ConfigError when it is too long.

    It begins with a line break, which ends whatever an earlier attempt left incomplete.
    """
    line = InputLine(discoveries=discoveries).model_dump_json(exclude_none=True, ensure_ascii=True)
    if len(line) + 2 > MAX_INPUT_BYTES:
        raise ConfigError(
            f"the discoveries for the collector have {len(line)} bytes; {MAX_INPUT_BYTES - 2} are the most"
        )
    return f"\n{line}\n".encode("ascii")


def from_input(line: bytes) -> tuple[Discovery, ...] | None:
    """Return the discoveries of an input line, None if it is another line."""
    try:
        return InputLine.model_validate_json(line).discoveries
    except ValidationError:
        return None


def from_environment(environ: Mapping[str, str]) -> CollectorConfig:
    """Return the configuration in `environ`. Raises ConfigError that names the field."""
    if VARIABLE not in environ:
        raise ConfigError(f"the variable {VARIABLE} is not set; it holds the configuration as JSON")
    text = "".join(environ.get(key, "") for key in CONFIG_KEYS)
    try:
        return CollectorConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(f"{VARIABLE}: {first_fault(error)}") from None


def configuration_digest(config: CollectorConfig) -> str:
    """Return `sha256:…` over everything that a run's behaviour depends on, whatever the network.

    A rehearsal and a production run with the same digest search in the same way. Networks, addresses,
    discoveries and passwords are left out; a field that is added later counts. Credentials count in their
    order, because that is the order in which they are tried, engine by engine.

    >>> rehearsed = CollectorConfig(cidr="10.213.0.0/27", self="10.213.0.30", max_rate=500)
    >>> production = CollectorConfig(cidr="192.0.2.0/24", max_rate=500)
    >>> configuration_digest(production) == configuration_digest(rehearsed)
    True
    """
    behaviour = config.model_dump(mode="json", exclude={*_OF_ONE_NETWORK, "credentials"})
    # Sorted by engine alone: the sort keeps the order within one.
    credentials = sorted(config.credentials, key=lambda credential: credential.engine)
    behaviour["credentials"] = [[credential.engine, credential.username] for credential in credentials]
    text = json.dumps(behaviour, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode('ascii')).hexdigest()}"
