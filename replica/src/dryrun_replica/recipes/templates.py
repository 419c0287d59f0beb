"""Configuration files of recipes: a closed set of typed placeholders, and lines that only TLS has.

`@port@` is replaced by a number, `@title@` by text that is escaped for HTML, and so on; there is no other way
by which a value gets into a file. A line that begins with `@tls ` stays when the service speaks TLS, one that
begins with `@plain ` when it does not.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

_PLACEHOLDER = re.compile(r"@([a-z]+)@")
_LINE = re.compile(r"@(tls|plain) ")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,50}[a-z0-9])?")
_PATH = re.compile(r"(?:/[a-z0-9][a-z0-9._-]*)+")
_PLAIN_TITLE = re.compile(r"[^A-Za-z0-9 .,:()_-]")
_MOST_TITLE = 100

KNOWN = ("address", "certificate", "here", "key", "name", "port", "run", "title")


@dataclass(frozen=True, slots=True)
class Values:
    """What placeholders stand for. Checked again here, as nothing checks them later."""

    port: int
    here: str
    """The folder of the service's files in the image."""
    run: str
    """Its writable folder in memory."""
    name: str
    """The host's, a DNS label."""
    title: str
    """Title of a page; any text."""
    tls: bool = False
    behind_tls: bool = False
    """Whether stunnel stands before it, so that it listens to nobody else."""

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise ValueError(f"{self.port} is not a port")
        if not _NAME.fullmatch(self.name):
            raise ValueError("a host's name is a DNS label")
        if not (_PATH.fullmatch(self.here) and _PATH.fullmatch(self.run)):
            raise ValueError("a folder is an absolute path of plain names")

    @property
    def address(self) -> str:
        """The address to listen on."""
        return "127.0.0.1" if self.behind_tls else "0.0.0.0"  # noqa: S104  inside its container

    @property
    def plain_title(self) -> str:
        """The title as ground truth and file have it: letters, digits and little else."""
        return plain_title(self.title)


def plain_title(title: str) -> str:
    r"""Return a title of characters that mean nothing in HTML, configuration files, YAML or a terminal.

    >>> plain_title('a</title><script>"$(id)"\n'), plain_title("<>")
    ('a title script (id)', 'Start page')
    """
    return " ".join(_PLAIN_TITLE.sub(" ", title[:_MOST_TITLE]).split()) or "Start page"


def render(text: str, values: Values) -> str:
    """Return the file with its values. Raises ValueError for an unknown placeholder."""
    kept = []
    for line in text.splitlines(keepends=True):
        condition = _LINE.match(line)
        if condition is not None and (condition[1] == "tls") != values.tls:
            continue
        kept.append(line[condition.end() :] if condition else line)
    filled = {
        "address": values.address,
        "certificate": f"{values.here}/certificate.pem",
        "here": values.here,
        "key": f"{values.here}/key.pem",
        "name": values.name,
        "port": str(values.port),
        "run": values.run,
        "title": html.escape(values.plain_title),
    }
    faults = list(placeholder_faults(text))
    if faults:
        raise ValueError("; ".join(faults))
    return _PLACEHOLDER.sub(lambda found: filled[found[1]], "".join(kept))


def placeholder_faults(text: str) -> Iterable[str]:
    """Yield a sentence for each placeholder that does not exist."""
    for name in dict.fromkeys(_PLACEHOLDER.findall(text)):
        if name not in KNOWN:
            yield f"there is no placeholder @{name}@; there are {', '.join(KNOWN)}"
