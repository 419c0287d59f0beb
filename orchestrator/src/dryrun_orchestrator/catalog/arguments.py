"""Arguments of a foreign collector, with placeholders for a session's addresses."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence

PLACEHOLDERS = ("cidr", "self", "exclude")
"""The session's subnet; the collector's address; the addresses that are not targets, comma-separated."""
MAX_ARGUMENTS = 64
MAX_ARGUMENT_CHARACTERS = 256

_BRACES = re.compile(r"\{(cidr|self|exclude)\}|[{}]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def faults_of_arguments(arguments: Sequence[str]) -> Iterable[str]:
    """Return the faults of an argument list; the guard would refuse it too."""
    if not 1 <= len(arguments) <= MAX_ARGUMENTS:
        yield f"has {len(arguments)} arguments; 1 to {MAX_ARGUMENTS} can be"
    for argument in arguments:
        if len(argument) > MAX_ARGUMENT_CHARACTERS or _CONTROL.search(argument):
            yield f"has an argument with more than {MAX_ARGUMENT_CHARACTERS} characters, or with control ones"
        elif any(found[1] is None for found in _BRACES.finditer(argument)):
            yield f"has braces around something else than {', '.join(PLACEHOLDERS)}"


def arguments_digest(arguments: Sequence[str]) -> str:
    """Return `sha256:…` over the arguments with their placeholders: the same in every network."""
    text = json.dumps(list(arguments), separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def fill_in(arguments: Iterable[str], *, cidr: str, own: str, exclude: Iterable[str]) -> tuple[str, ...]:
    """Return the arguments for one session.

    >>> fill_in(["--exclude={exclude}", "{cidr}"], cidr="10.0.0.0/27", own="10.0.0.9", exclude=["10.0.0.9"])
    ('--exclude=10.0.0.9', '10.0.0.0/27')
    """
    values = {"cidr": cidr, "self": own, "exclude": ",".join(exclude)}
    return tuple(_BRACES.sub(lambda found: values[found[1]], argument) for argument in arguments)
