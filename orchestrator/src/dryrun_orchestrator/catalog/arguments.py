"""Arguments of a foreign collector, with placeholders for a session's addresses and a packet rate."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from dryrun_contract.text import printable

RATE = "{rate}"
PLACEHOLDERS = ("cidr", "self", "exclude", "rate")
"""The session's subnet; the collector's address; the addresses that are not targets, comma-separated; packets
per second."""
MAX_ARGUMENTS = 64
MAX_ARGUMENT_CHARACTERS = 256

_BRACES = re.compile(r"\{(cidr|self|exclude|rate)\}|[{}]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def faults_of_arguments(arguments: Sequence[str], max_rate: int | None) -> Iterable[str]:
    """Return the faults of an argument list; the guard would refuse it too."""
    if has_rate(arguments) and max_rate is None:
        yield f"holds {RATE}; a max_rate beside the arguments has to say how many packets per second at most"
    if not 1 <= len(arguments) <= MAX_ARGUMENTS:
        yield f"has {len(arguments)} arguments; 1 to {MAX_ARGUMENTS} are allowed"
    for argument in arguments:
        if len(argument) > MAX_ARGUMENT_CHARACTERS or _CONTROL.search(argument):
            yield f"has an argument with more than {MAX_ARGUMENT_CHARACTERS} characters, or with control ones"
        elif any(found[1] is None for found in _BRACES.finditer(argument)):
            yield f"has braces around something other than {', '.join(PLACEHOLDERS)}"


def has_rate(arguments: Iterable[str]) -> bool:
    """Return whether the program takes a rate."""
    return any(RATE in argument for argument in arguments)


def difference(arguments: Sequence[str], allowed: Iterable[Sequence[str]]) -> str:
    """Return in words where an argument list leaves the closest allowed one; that word comes first, uncut.

    >>> difference(["-n", "-sV", "{cidr}"], [["-n", "-sn", "{cidr}"], ["--version"]])
    "argument 2 is '-sV', the allowlist has '-sn' there; it has [-n -sn {cidr}] and [--version]"
    """
    lists = [tuple(each) for each in allowed]
    if not lists:
        return "it has none; list it under 'arguments' in the image's image.yml and build it again"

    def agreeing(other: Sequence[str]) -> int:
        pairs = zip(arguments, other, strict=False)
        return next((place for place, (mine, theirs) in enumerate(pairs) if mine != theirs), len(other))

    closest = max(lists, key=lambda other: min(agreeing(other), len(arguments)))
    place = min(agreeing(closest), len(arguments))
    mine, theirs = (
        f"'{printable(each[place], limit=MAX_ARGUMENT_CHARACTERS)}'" if place < len(each) else "missing"
        for each in (arguments, closest)
    )
    listed = " and ".join(f"[{printable(' '.join(each), limit=1000)}]" for each in lists)
    theirs = "none" if theirs == "missing" else theirs
    return f"argument {place + 1} is {mine}, the allowlist has {theirs} there; it has {listed}"


def arguments_digest(arguments: Iterable[str], *, rate: int | None) -> str:
    """Return `sha256:…` over the arguments: the same in every network, another one for another rate.

    >>> slow, fast = (arguments_digest(["--rate", "{rate}", "{cidr}"], rate=rate) for rate in (500, 1000))
    >>> slow == arguments_digest(["--rate", "500", "{cidr}"], rate=None), slow == fast
    (True, False)
    """
    rates = {} if rate is None else {"rate": str(rate)}
    text = json.dumps([_filled(argument, rates) for argument in arguments], separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def fill_in(
    arguments: Iterable[str], *, cidr: str, own: str, exclude: Iterable[str], rate: int | None
) -> tuple[str, ...]:
    """Return the arguments for one session.

    >>> fill_in(["-e{exclude}", "{cidr}"], cidr="10.0.0.0/27", own="10.0.0.9", exclude=["10.0.0.9"], rate=5)
    ('-e10.0.0.9', '10.0.0.0/27')
    """
    values = {"cidr": cidr, "self": own, "exclude": ",".join(exclude), "rate": str(rate)}
    return tuple(_filled(argument, values) for argument in arguments)


def _filled(argument: str, values: Mapping[str, str]) -> str:
    return _BRACES.sub(lambda found: values.get(found[1], found[0]), argument)
