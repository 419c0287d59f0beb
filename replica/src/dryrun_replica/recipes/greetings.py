"""Names the software behind a greeting that a scanner wrote down: by nmap's lines for what comes unasked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from dryrun_replica.inventory.found_service import Greeted
from dryrun_replica.recipes.probes import Pattern

MAX_GREETINGS = 1_000
"""Different ones of one inventory: each is searched for in thousands of expressions."""
_MOST_BYTES = 512
_ESCAPED = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([rn]))")
"""How nmap's script `banner` and masscan write what does not print."""
_PREFIX = re.compile(rb"\^((?:[\w <>:@/-]|\\[^\w\s])+)(?![*?{])")
_SERVER = re.compile(
    rb"HTTP/1\.[01] \d{3}\b.*?^server:[ \t]*([^/\s]{1,60})(?:/(\d\S{0,30}))?",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class GreetingTable:
    """Lines of nmap's table in their order, each with the bytes that its expression begins with."""

    patterns: Iterable[Pattern]
    _lines: list[tuple[bytes, Pattern]] = field(init=False, default_factory=list)
    _named: dict[bytes, Greeted | None] = field(init=False, default_factory=dict)
    _not_read: set[bytes] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        for each in self.patterns:
            if each.probe.transport == "tcp" and not each.probe.data:
                self._lines.append((_prefix(each), each))

    def name(self, greeting: str) -> Greeted | None:
        """Return what a greeting names, which may be the protocol only.

        None if it names nothing that is known, and beyond MAX_GREETINGS different ones.
        """
        said = _ESCAPED.sub(_byte, greeting.encode("utf-8", "replace"))[:_MOST_BYTES].rstrip()
        # masscan leaves out \r.
        said = re.sub(rb"\r?\n", b"\r\n", said) + b"\r\n"
        if said not in self._named:
            if len(self._named) >= MAX_GREETINGS:
                self._not_read.add(said)
                return None
            # masscan adds what the server says to its questions.
            begun = said[: said.index(b"\n") + 1]
            found = [each for each in map(self._search, (said, begun)) if each is not None]
            self._named[said] = next((each for each in found if each.product), found[0] if found else None)
        return self._named[said]

    @property
    def not_read(self) -> int:
        """How many different greetings came after MAX_GREETINGS others."""
        return len(self._not_read)

    def _search(self, said: bytes) -> Greeted | None:
        server = _SERVER.match(said)
        if server is not None:
            version = server[2].decode("latin-1") if server[2] else None
            return Greeted("http", server[1].decode("latin-1"), version)
        if said.startswith(b"HTTP/1."):
            return Greeted("http")
        for prefix, pattern in self._lines:
            if not said.startswith(prefix) or pattern.compiled is None:
                continue
            found = pattern.compiled.search(said)
            if found is not None:
                # A name that the line takes from the greeting is the greeting's own word.
                product = None if "$" in (pattern.product or "$") else pattern.product
                version = pattern.version_in(found) if product else None
                return Greeted(pattern.service, product, version)
        return None


def _byte(escaped: re.Match[bytes]) -> bytes:
    return bytes([int(escaped[1], 16)]) if escaped[1] else {b"r": b"\r", b"n": b"\n"}[escaped[2]]


def _prefix(pattern: Pattern) -> bytes:
    r"""Return the literal bytes that every match begins with; empty where they are not known.

    >>> from dryrun_replica.recipes.probes import Probe
    >>> greeting = Probe("tcp", "NULL", b"", 1)
    >>> lines = [rb"^220 \(x\) \w", b"^ab*", b"^22|^a", b"a"]
    >>> [_prefix(Pattern(greeting, "ftp", line, "", "a", None)) for line in lines]
    [b'220 (x) ', b'a', b'', b'']
    """
    found = _PREFIX.match(pattern.expression)
    if found is None or "i" in pattern.flags or _has_alternatives(pattern.expression):
        return b""
    return re.sub(rb"\\(.)", rb"\1", found[1])


def _has_alternatives(expression: bytes) -> bool:
    """Whether the expression has branches outside of groups."""
    rest = re.sub(rb"\[\^?\]?[^]]*\]", b"", re.sub(rb"\\.", b"", expression))
    while (shorter := re.sub(rb"\([^()]*\)", b"", rest)) != rest:
        rest = shorter
    return b"|" in rest
