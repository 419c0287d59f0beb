"""One message for many occasions, in the form of each kind of channel; text of targets is made inert."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from pydantic import JsonValue

from dryrun_contract.text import printable

MOST_IN_ONE = 100
_SHOWN_IN_FULL = 20
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Noticed:
    """An occasion that a message reports."""

    occasion: str
    text: str
    link: str
    noticed_at: datetime

    @property
    def line(self) -> str:
        """Return what happened as one line that controls nothing."""
        return printable(self.text, limit=_LONGEST)


def subject(events: Sequence[Noticed]) -> str:
    """Return one line for all of them."""
    return events[0].line[:150] if len(events) == 1 else f"{len(events)} events in discovery"


def plain(events: Sequence[Noticed], base_url: str) -> str:
    """Return a text for mail, with links when `base_url` is known."""
    lines = [f"{each.line}\n  {_url(each, base_url)}" for each in events[:_SHOWN_IN_FULL]]
    if len(events) > _SHOWN_IN_FULL:
        lines.append(f"… and {len(events) - _SHOWN_IN_FULL} more")
    return "\n".join(lines) + "\n"


def webhook(events: Sequence[Noticed], base_url: str, now: datetime) -> JsonValue:
    """Return the body of a signed webhook."""
    return {
        "type": "notification",
        "timestamp": now.isoformat(),
        "data": {
            "events": [
                {
                    "occasion": each.occasion,
                    "text": each.text,
                    "url": _url(each, base_url),
                    "noticed_at": each.noticed_at.isoformat(),
                }
                for each in events
            ]
        },
    }


def slack(events: Sequence[Noticed], base_url: str) -> JsonValue:
    """Return the body for an incoming webhook of Slack: text blocks that are plain, so nothing is markup.

    Slack takes the three characters that begin mentions and links as HTML writes them.
    """
    blocks: list[JsonValue] = [
        {"type": "section", "text": {"type": "plain_text", "text": line, "emoji": False}}
        for line in plain(events, base_url).split("\n")
        if line.strip()
    ]
    return {"text": escape(subject(events), quote=False), "blocks": blocks[:45]}


def teams(events: Sequence[Noticed], base_url: str) -> JsonValue:
    """Return the body for a workflow's webhook of Teams: an adaptive card, its markdown made inert."""
    lines = [line for line in plain(events, base_url).split("\n") if line.strip()]
    body: list[JsonValue] = [
        {"type": "TextBlock", "text": _no_markdown(line), "wrap": True} for line in lines[:45]
    ]
    card: JsonValue = {"type": "AdaptiveCard", "version": "1.4", "body": body}
    content: JsonValue = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [content]}


def matrix(events: Sequence[Noticed], base_url: str) -> JsonValue:
    """Return the content of a message in a room of Matrix: a notice, which no bot answers, in plain text."""
    return {"msgtype": "m.notice", "body": plain(events, base_url), "m.mentions": {}}


def apprise(events: Sequence[Noticed], base_url: str) -> JsonValue:
    """Return the body for an Apprise API: plain text, for every service that its configuration names."""
    return {
        "title": subject(events),
        "body": plain(events, base_url),
        "type": "info",
        "format": "text",
        "tag": "all",
    }


def _no_markdown(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\`*_[]()#<>!|" else each for each in text)


def _url(events: Noticed, base_url: str) -> str:
    return f"{base_url.rstrip('/')}{events.link}"
