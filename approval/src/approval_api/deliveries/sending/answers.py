"""Decides which answers to a request allow its repetition."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from approval_api.deliveries.sending.repeated import repeats
from approval_api.deliveries.sending.sender import BusyError, RefusedError
from approval_api.egress.client import Answer
from approval_api.egress.retry_after import wait_asked_for
from dryrun_contract.text import printable

_MAY_HEAL = frozenset({408, 409, 423, 425, 429})
_SAID = 200
_EXAMINED = 1_000
"""Characters of an answer that are compared with what was sent; a letter that is spelled has up to eight."""


def require_success(answer: Answer, *sent: str) -> None:
    """Raise BusyError for an answer that may be another one later, RefusedError for one that will not.

    A redirect is refused: whoever moved has to be entered anew. What was said is shown to everybody, unless
    it repeats one of `sent`.
    """
    if 200 <= answer.status < 300:
        return
    said = f"HTTP {answer.status}{_excerpt(answer.body, sent)}"
    if answer.status in _MAY_HEAL or answer.status >= 500:
        raise BusyError(said, wait_asked_for(answer))
    if 300 <= answer.status < 400:
        raise RefusedError(f"HTTP {answer.status}: redirects are not followed; enter the address it leads to")
    raise RefusedError(said)


def paths_of(url: str) -> list[str]:
    """Return the parts of a URL that not everybody is shown: pages of faults repeat them.

    >>> paths_of("https://hooks.example/a/b?key=1"), paths_of("https://netbox.example/")
    (['/a/b', 'key=1'], [])
    """
    parts = urlsplit(url)
    return [part for part in (parts.path.rstrip("/"), parts.query) if part]


def shown(text: str, sent: Iterable[str]) -> str:
    """Return what everybody may see of a text from outside: its beginning, printable.

    Nothing of it where it repeats one of `sent`.

    >>> shown("name: this field is required", ["/a/hook"]), shown("no /a%2fhook here", ["/a/hook"])
    ('name: this field is required', 'it repeats what was sent, and is not shown')
    """
    # Beyond what is shown, too: of what is cut there, a part must not stay.
    if repeats(text[:_EXAMINED], sent):
        return "it repeats what was sent, and is not shown"
    return printable(text, limit=_SAID).strip()


def _excerpt(body: bytes, sent: Iterable[str]) -> str:
    text = shown(body[: 4 * _EXAMINED].decode("utf-8", "replace"), sent)
    return f": {text}" if text else ""
