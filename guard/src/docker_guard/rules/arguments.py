"""Checks a command against the allowlist's argument lists; only the session's addresses and a rate vary."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

PLACEHOLDERS = ("cidr", "self", "exclude", "rate")
"""The session's subnet; the container's own address; addresses in the subnet, separated by commas; packets
per second, up to the row's `max_rate`."""
_PLACEHOLDER = re.compile(r"(\{[^{}]*\})")
_NEVER = r"(?!)"
_ADDRESSES = r"([0-9.]{7,15}(?:,[0-9.]{7,15}){0,31})"
_NUMBER = r"([1-9][0-9]{0,6})"
"""In one spelling: no sign, no zero before it, no other script's digits."""


def faults_of(arguments: Iterable[str], max_rate: int | None) -> Iterable[str]:
    """Yield the faults of one argument list of the allowlist."""
    known = {f"{{{name}}}" for name in PLACEHOLDERS}
    for argument in arguments:
        if any(("{" in part or "}" in part) and part not in known for part in _PLACEHOLDER.split(argument)):
            yield f"braces may only stand around {', '.join(PLACEHOLDERS)}"
        if "{rate}" in argument and max_rate is None:
            yield "{rate} needs a max_rate beside the arguments"


def is_within(
    given: Sequence[str],
    allowed: Sequence[str],
    subnet: IPv4Network,
    address: IPv4Address | None,
    max_rate: int | None = None,
) -> bool:
    """Return whether `given` is `allowed` with addresses of this session and a rate up to `max_rate`."""
    own = re.escape(str(address)) if address else _NEVER
    forms = {"{cidr}": re.escape(str(subnet)), "{self}": own, "{exclude}": _ADDRESSES, "{rate}": _NUMBER}
    if len(given) != len(allowed):
        return False
    for text, pattern in zip(given, allowed, strict=True):
        parts = _PLACEHOLDER.split(pattern)
        found = re.fullmatch("".join(forms.get(part, re.escape(part)) for part in parts), text)
        if found is None:
            return False
        captured = [part for part in parts if part in ("{exclude}", "{rate}")]
        for placeholder, value in zip(captured, found.groups(), strict=True):
            if not (_is_rate(value, max_rate) if placeholder == "{rate}" else _are_in(value, subnet)):
                return False
    return True


def _is_rate(number: str, max_rate: int | None) -> bool:
    return max_rate is not None and int(number) <= max_rate


def _are_in(addresses: str, subnet: IPv4Network) -> bool:
    try:
        return all(IPv4Address(each) in subnet for each in addresses.split(","))
    except ValueError:
        return False
