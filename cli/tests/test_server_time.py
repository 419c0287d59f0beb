"""A machine whose clock is wrong shows the server's times as the server means them."""

import contextlib
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import httpx2
import pytest

from dryrun_cli.api.client import ApiClient
from dryrun_cli.commands import command, sessions
from dryrun_cli.invocation import Common

SESSION = UUID("2b1c6c0e-0000-4000-8000-000000000001")


def answering(now, **headers):
    """Return a client of a server whose clock shows `now`, with a session that began then."""
    session = {
        "id": str(SESSION),
        "template": "small",
        "template_digest": "a" * 64,
        "seed": 0,
        "keep": False,
        "requested_by": "ada",
        "requested_at": now.isoformat(),
        "queue_position": None,
        "accepted_at": now.isoformat(),
        "phase": "scanning",
        "outcome": None,
        "reason": None,
        "ended_at": None,
        "expires_at": (now + timedelta(minutes=25)).isoformat(),
    }

    def answer(request):
        is_list = request.url.path.endswith("/sessions")
        return httpx2.Response(200, json={"sessions": [session]} if is_list else session, headers=headers)

    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://api")


@pytest.fixture
def skewed(monkeypatch):
    """Have commands ask a server whose clock is so far ahead of this machine's."""

    def by(hours):
        now = datetime.now(UTC) + timedelta(hours=hours)
        http = answering(now, date=format_datetime(now, usegmt=True))

        @contextlib.asynccontextmanager
        async def open_client(_):
            async with http:
                yield ApiClient(http)

        monkeypatch.setattr(command, "open_client", open_client)

    return by


@pytest.mark.parametrize("hours", [-3, 0, 3])
async def test_a_session_under_way_is_shown_with_the_time_that_it_has(skewed, capsys, hours):
    skewed(hours)
    await sessions.show_session(Common(), str(SESSION))
    shown = capsys.readouterr().out
    assert "at the latest, in 25m 0" in shown or "at the latest, in 24m 5" in shown


@pytest.mark.parametrize("hours", [-3, 0, 3])
async def test_a_session_under_way_is_listed_with_the_time_that_it_took(skewed, capsys, hours):
    skewed(hours)
    await sessions.list_sessions(Common(), limit=1)
    *_, row = capsys.readouterr().out.splitlines()
    assert re.search(r" [0-4]\.[0-9]s\b", row), row


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
async def test_a_server_that_does_not_say_its_time_is_believed_to_have_ours(headers):
    async with answering(datetime.now(UTC), **headers) as http:
        client = ApiClient(http)
        await client.session(SESSION)
        assert abs(client.now() - datetime.now(UTC)) < timedelta(seconds=5)
