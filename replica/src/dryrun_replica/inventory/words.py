"""Makes text of inventories inert: one line, without anything a program could read as its own.

Scanners quote what targets send, and people type what they like into tables. What passes here can stand in
YAML, in a Dockerfile, in a shell's argument, in a spreadsheet and on a terminal, and means nothing in any.
"""

import re
import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NOT_OF_A_PRODUCT = re.compile(r"[^A-Za-z0-9 .,+_/()-]+")
_NOT_OF_A_VERSION = re.compile(r"[^A-Za-z0-9 .,:+_/()~-]+")
_NOT_OF_A_NAME = re.compile(r"[^a-z0-9._/+-]+")
_NOT_OF_A_HOST = re.compile(r"[^a-z0-9]+")
_CPE = re.compile(r"cpe:(?:/|2\.3:)[aho]:[A-Za-z0-9._~%!*\\:+-]{1,180}")
_IMAGE = re.compile(r"discovery/test-[a-z0-9]+(?:-[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_STARTS = re.compile(r"[^A-Za-z0-9]*")
MAX_HOST_NAME = 48
"""Longest name that is kept; a number may follow it."""


def one_line(text: str, *, limit: int = 200) -> str | None:
    r"""Return the text on one line without control and format characters; None if nothing is left.

    >>> one_line("  Shop\r\nof \x1b[31mred ")
    'Shop of [31mred'
    """
    # Longer than any field: what is cut here is not looked at.
    text = text[: 8 * limit]
    kept = "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in _UNSAFE
    )
    return " ".join(kept.split())[:limit].rstrip() or None


def product(text: str) -> str | None:
    """Return what a product may be called, e.g. `Apache Tomcat/Coyote JSP engine`.

    >>> product("=cmd|'/C calc'!A0"), product("nginx; $(reboot)")
    ('cmd /C calc A0', 'nginx (reboot)')
    """
    return _only(_NOT_OF_A_PRODUCT, text, 80)


def version(text: str) -> str | None:
    """Return what a version may be, e.g. `9.2p1 Debian 2+deb12u3`."""
    return _only(_NOT_OF_A_VERSION, text, 60)


def service_name(text: str) -> str | None:
    """Return what nmap's table could call a service, e.g. `ms-sql-s`."""
    line = one_line(text) or ""
    name = _NOT_OF_A_NAME.sub("-", line.lower()).strip("-./+_")
    return name[:40].rstrip("-./+_") or None


def host_name(text: str) -> str | None:
    """Return the name as a template can call a service: the part before the first dot.

    >>> host_name("DB01.corp.example"), host_name("10.0.0.1"), host_name("7up")
    ('db01', None, 'h-7up')
    """
    line = one_line(text) or ""
    if not re.search(r"[A-Za-z]", line) or ":" in line:
        return None
    name = _NOT_OF_A_HOST.sub("-", line.split(".")[0].lower()).strip("-")
    if not name:
        return None
    return (name if name[0].isalpha() else f"h-{name}")[:MAX_HOST_NAME].rstrip("-")


def cpe(text: str) -> str | None:
    """Return the text if it is a CPE name, of either binding."""
    text = text.strip()
    return text if _CPE.fullmatch(text) else None


def image(text: str | None) -> str | None:
    """Return the text if it is the name of an image that sessions may start."""
    return text if text is not None and _IMAGE.fullmatch(text) else None


def image_id(text: str | None) -> str | None:
    """Return the text if it is the id of an image."""
    return text if text is not None and _IMAGE_ID.fullmatch(text) else None


def _only(others: re.Pattern[str], text: str, limit: int) -> str | None:
    line = one_line(text)
    if line is None:
        return None
    kept = " ".join(others.sub(" ", line).split())
    return _STARTS.sub("", kept, count=1)[:limit].rstrip() or None
