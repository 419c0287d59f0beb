import io
from datetime import UTC, timedelta

import pytest
import recorded_session
from folded_session import SCRIPTS, START, events_of, folded
from rich.console import Console
from terminal_text import steering

from dryrun_cli.drawing.glyphs import ASCII, UNICODE, glyphs_for
from dryrun_cli.live.frame import Frame
from dryrun_cli.live.live_view import draw
from dryrun_cli.live.watched_session import WatchedSession


def rendered(state, width=80, height=24, glyphs=UNICODE, seconds=10.0, **more):
    console = Console(
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system=None,
        highlight=False,
    )
    frame = Frame(START + timedelta(seconds=seconds), width, height, "7c9e6679", glyphs, **more)
    console.print(draw(state, frame))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_frame_of_any_session_is_wider_than_the_terminal_or_steers_it(script, width):
    state = WatchedSession()
    for event in events_of(script()):
        state.read(event)
        text = rendered(state, width)
        assert steering(text) == []
        assert max(map(len, text.splitlines())) <= width


def many_targets(count):
    script = [(0.0, recorded_session.queued("large")), (0.1, recorded_session.network())]
    for number in range(count):
        state = "died" if number == count - 1 else "healthy"
        script.append((1.0, {**recorded_session.target("web", state), "service": f"target-{number}"}))
    return folded(script)


def test_where_not_all_targets_fit_harmed_ones_are_shown():
    text = rendered(many_targets(20))
    assert len(text.splitlines()) <= 24
    assert "target-19" in text
    assert "more" in text


def test_all_targets_are_shown_where_they_fit():
    text = rendered(many_targets(20), height=50)
    assert all(f"target-{number} " in text for number in range(20))


def test_the_countdown_runs_to_the_deadline_and_says_when_it_is_overdue():
    expires_at = START + timedelta(minutes=30)
    state = folded([(0.0, recorded_session.queued()), (0.1, recorded_session.network(expires_at))])
    assert "Removed in 29:50 at the latest" in rendered(state, seconds=10)
    assert "Cleanup is overdue" in rendered(state, seconds=1801)


def test_the_title_says_what_was_chosen_for_the_scan_where_there_is_room():
    state = folded([(0.0, recorded_session.queued(scan={"profile": "full", "max_rate": 2500}))])
    assert "by ada · profile full; at most 2,500 packets/s from each collector" in rendered(state, 120)
    assert "by ada · profile full" in rendered(state, 80)


def test_discoveries_are_shown_by_service_not_by_address():
    text = rendered(folded(recorded_session.small()), height=50)
    assert "db:5432/tcp/shop/public/orders" in text
    assert "10.213.0.4" not in text


def test_messages_and_hint_are_shown():
    text = rendered(
        folded(recorded_session.built()), messages=("Connection lost",), hint="Ctrl-C stops the session."
    )
    assert "! Connection lost" in text
    assert "Ctrl-C stops the session." in text


def test_harm_is_described_in_plain_words():
    text = rendered(folded(recorded_session.harmed()), width=120, height=60)
    assert "✗ docs ran out of memory while network ran: the kernel ended its process at 512 MiB" in text


def test_an_ascii_terminal_shows_the_same():
    text = rendered(folded(recorded_session.harmed()), width=120, height=60, glyphs=ASCII)
    assert text.replace("…", "").isascii()


def test_signs_follow_the_encoding():
    assert glyphs_for("utf-8") is UNICODE
    assert glyphs_for("latin-1") is ASCII
    assert glyphs_for("no-such-encoding") is ASCII


def test_the_present_is_utc():
    assert START.tzinfo is UTC
