"""Checks a command against the allowlist's argument lists; only addresses of the session's network vary."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

PLACEHOLDERS = ("cidr", "self", "exclude")
"""The session's subnet; the container's own address; addresses in the subnet, separated by commas."""
_PLACEHOLDER = re.compile(r"(\{[^{}]*\})")
_NEVER = r"(?!)"
_ADDRESSES = r"([0-9.]{7,15}(?:,[0-9.]{7,15}){0,31})"


def faults_of(arguments: Iterable[str]) -> Iterable[str]:
    """Yield the faults of one argument list of the allowlist."""
    known = {f"{{{name}}}" for name in PLACEHOLDERS}
    for argument in arguments:
        if any(("{" in part or "}" in part) and part not in known for part in _PLACEHOLDER.split(argument)):
            yield f"braces may only stand around {', '.join(PLACEHOLDERS)}"


def is_within(
    given: Sequence[str], allowed: Sequence[str], subnet: IPv4Network, address: IPv4Address | None
) -> bool:
    """Return whether `given` is `allowed` with its placeholders replaced by addresses of this session."""
    own = re.escape(str(address)) if address else _NEVER
    forms = {"{cidr}": re.escape(str(subnet)), "{self}": own, "{exclude}": _ADDRESSES}
    if len(given) != len(allowed):
        return False
    for text, pattern in zip(given, allowed, strict=True):
        expression = "".join(forms.get(part, re.escape(part)) for part in _PLACEHOLDER.split(pattern))
        found = re.fullmatch(expression, text)
        if found is None or not all(_are_in(group, subnet) for group in found.groups()):
            return False
    return True


def _are_in(addresses: str, subnet: IPv4Network) -> bool:
    try:
        return all(IPv4Address(each) in subnet for each in addresses.split(","))
    except ValueError:
        return False
