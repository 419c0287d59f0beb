"""What another version of the API stored of a session hides neither it nor others."""

import pytest
from followed_api import stop_following
from sqlalchemy import text

NEWER = "UPDATE gateway.dryrun_sessions SET {} = {} || '{{\"of_tomorrow\": 1}}' WHERE id = :id"
"""What a newer version stored: a field that this one does not know."""


@pytest.fixture
async def of_another_version(api, engine, eventually):
    """Give `await of_another_version("scan")`: an ended session whose column another version stored."""

    async def store(column):
        session_id = await api.start()
        await stop_following(api)
        ended = "UPDATE gateway.dryrun_sessions SET phase = 'ended', outcome = 'completed', ended_at = now()"
        async with engine.begin() as connection:
            await connection.execute(text(NEWER.format(column, column)), {"id": session_id})
            await connection.execute(text(f"{ended} WHERE id = :id"), {"id": session_id})
        return session_id

    return store


async def test_a_session_of_another_version_stands_in_every_list_and_says_so(api, of_another_version):
    newer = await of_another_version("scan")
    own = await api.start()
    listed = (await api.get("/sessions")).json()["sessions"]
    assert [each["id"] for each in listed] == [own, newer]
    assert "unread" not in listed[0]
    why = "another version stored how it scans, which this one cannot read: of_tomorrow"
    assert listed[1]["unread"].startswith(why)
    assert (await api.get(f"/sessions/{newer}")).json()["unread"].startswith(why)
    html = {"Accept": "text/html"}
    assert "of another version" in (await api.client.get("/dryrun/sessions", headers=html)).text
    assert (await api.client.get("/", headers=html)).status_code == 200
    # A page of one: what cannot be read has a place of its own, and hides nothing behind it.
    first = (await api.get("/sessions", params={"limit": 1})).json()
    assert (first["sessions"][0]["id"], first["next"] is None) == (own, False)


@pytest.mark.parametrize(
    ("column", "what"), [("scan", "how it scans"), ("template_snapshot", "its template")]
)
async def test_what_another_version_stored_has_a_page_and_can_be_stopped_but_gets_no_report(
    api, of_another_version, column, what
):
    newer = await of_another_version(column)
    html = {"Accept": "text/html"}
    page = await api.client.get(f"/dryrun/sessions/{newer}", headers=html)
    assert (page.status_code, f"another version stored {what}" in page.text) == (200, True)
    assert (await api.post(f"/sessions/{newer}/stop")).status_code == 202
    report = await api.get(f"/sessions/{newer}/report")
    assert (report.status_code, report.json()["type"]) == (503, "urn:dryrun:problem:report-failed")
    assert f"another version stored {what}" in report.json()["detail"]
    assert "start the session again" in report.json()["detail"]
