"""Products, versions and CPE names that say nothing about whose network they are from."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from dryrun_replica.inventory.contradictions import named_alike
from dryrun_replica.inventory.well_known import is_listed, is_protocol, is_software, words_of

_FIRST_OF_A_VERSION = re.compile(r"v?\d[\w.+~-]{0,40}", re.ASCII)
"""As long as Ubuntu's: `8.0.36-0ubuntu0.22.04.1`."""
_FOUR_NUMBERS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
"""An address rather than a second version."""
_FOUR_OR_MORE = re.compile(
    r"(?<![\d.])(?:\d{1,3}(?:\.\d{1,3}){3,}|\d{1,3}(?:-\d{1,3}){3,}|\d{1,3}(?:_\d{1,3}){3,})(?!\d)"
)
"""Of one separator: `2.4.62-1` is a version of Debian's."""
_HIGHEST_OF_A_VERSION = 25
"""Higher first numbers of four are those of addresses; lower ones are Oracle's and Microsoft's too."""
_NUMBER = re.compile(r"[0-9]{1,8}(?:\.[0-9]{1,8}){0,2}|[0-9]{1,4}(?:\+deb[0-9]{1,2}u[0-9]{1,3})?")
"""As long as a date, and with fewer parts than an address; the last with Debian's own revision."""
_LETTERS = re.compile(r"[A-Za-z]{2,}")
_WORDS_OF_VERSIONS = """
alpha beta dfsg snapshot final stable patch build esmtp commit fips release legacy
rc pre dev git svn cvs hg bzr ce ee se lts esr ga sp pl fp hf cu mr ds nmu ubuntu bpo deb ol fc rhel sles suse
amzn amd arm std pro srv ova fix rev ver bin src rel eap jre jdk cr bugfix hotfix plus nightly
"""
_OF_VERSIONS = frozenset(_WORDS_OF_VERSIONS.split())
"""Words inside versions that programs and distributions give themselves; one letter names nobody."""


def public_version(text: str) -> str | None:
    """Return the part of a version that names nobody: a first word with a number, then common words.

    >>> public_version("10.0p2 Debian 7"), public_version("1.26 Pine Harbour Ltd")
    ('10.0p2 Debian 7', '1.26')
    >>> public_version("1.26-PineHarbour"), public_version("8.0.36-0ubuntu0.1"), public_version("P 1")
    ('1.26', '8.0.36-0ubuntu0.1', None)
    >>> public_version("1.26-phl2"), public_version("1.26phl"), public_version("9.6rc1-2+b1")
    ('1.26', '1.26', '9.6rc1-2+b1')
    >>> public_version("192.168.4.9"), public_version("11.2.0.4"), public_version("10.0.17763.1")
    (None, '11.2', '10.0.17763.1')
    """
    first, *more = text.split()
    if not _FIRST_OF_A_VERSION.fullmatch(first):
        return None
    if (shorter := _without_address(first)) != first:
        first, more = shorter, []
    for run in _LETTERS.finditer(first):
        if run[0].casefold() not in _OF_VERSIONS and not is_listed(run[0].casefold()):
            first = first[: run.start()].rstrip(".+~-_")
            return first or None
    kept = [first] if first else []
    for word in more:
        is_public = _NUMBER.fullmatch(word) or all(map(is_listed, words_of(word) or [word]))
        if _FOUR_NUMBERS.search(word) or not is_public:
            break
        kept.append(word)
    return " ".join(kept) or None


def _without_address(word: str) -> str:
    """Return the first word of a version up to what is an address, or could be one.

    >>> _without_address("1.26p172.16.4.9"), _without_address("8.0.36-0ubuntu0.22.04.1")
    ('1.26p', '8.0.36-0ubuntu0.22.04.1')
    >>> _without_address("1.26-8.8.4.4"), _without_address("0.9.8.1")
    ('1.26', '0.9')
    """
    for found in _FOUR_OR_MORE.finditer(word):
        numbers = re.split(r"[._-]", found[0])
        try:
            address = IPv4Address(".".join(numbers[:4]))
        except ValueError:
            continue
        first = int(numbers[0])
        is_address = first > 0 and (not address.is_global or first > _HIGHEST_OF_A_VERSION)
        if found.start() <= 1 and not is_address:
            # Such a version's first two numbers are nobody's network.
            return word[: found.start() + len(f"{numbers[0]}.{numbers[1]}")]
        if first > 0:
            # Behind a version, it is no second one.
            return word[: found.start()].rstrip("v.+~-_")
    return word


def public_cpe(name: str) -> str:
    """Return a CPE name up to its version, and that if it names nobody.

    >>> public_cpe("cpe:/a:igor_sysoev:nginx:1.18.0"), public_cpe("cpe:2.3:a:f5:nginx:1.26_pine_harbour:*")
    ('cpe:/a:igor_sysoev:nginx:1.18.0', 'cpe:2.3:a:f5:nginx')
    """
    parts = name.split(":")
    end = 5 if parts[1] == "2.3" else 4
    version = parts[end] if len(parts) > end else ""
    return ":".join(parts[: end + 1 if version and public_version(version) == version else end])


def _names_protocol(name: str) -> bool:
    return is_protocol(name) or is_software(name)


@dataclass(frozen=True, slots=True)
class PublicNames:
    """What says of a name, whoever reported it, that everybody could use it."""

    is_software: Callable[[str], bool] = is_software
    """Whether a product is software that anybody may have."""
    is_protocol: Callable[[str], bool] = _names_protocol
    """Whether the name of a service names a protocol."""
    titles: frozenset[str] = frozenset()
    """Titles of pages that come with software."""
    are_alike: Callable[[str, str], bool] = named_alike
    """Whether two products' names are of one."""


KNOWN_EVERYWHERE = PublicNames()
"""Without the recipes and nmap's tables: the words that are listed here."""
