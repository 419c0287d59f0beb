"""Recorded sessions as events, and folded into what the terminal shows of them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import recorded_session

from dryrun_cli.api.reading import read_event
from dryrun_cli.live.watched_session import WatchedSession

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
SCRIPTS = [
    recorded_session.small,
    recorded_session.harmed,
    recorded_session.failing,
    recorded_session.hostile,
]


def events_of(script):
    for seq, (offset, data) in enumerate(script, start=1):
        at = (START + timedelta(seconds=offset)).isoformat()
        raw = {
            "journal": str(UUID(int=1)),
            "seq": seq,
            "session_id": str(UUID(int=2)),
            "at": at,
            "data": data,
        }
        event = read_event(raw)
        if event is not None:
            yield event


def folded(script):
    state = WatchedSession()
    for event in events_of(script):
        state.read(event)
    return state
