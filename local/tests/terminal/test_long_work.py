"""Long work shows that it goes on, wherever its output goes."""

import time
from io import StringIO

import pytest
from rich.console import Console

from dryrun_local.terminal import long_work
from dryrun_local.terminal.screen import Screen


def made(*, is_terminal: bool) -> tuple[Screen, StringIO]:
    screen, file = Screen(), StringIO()
    screen.console = Console(file=file, width=80, force_terminal=is_terminal, color_system=None)
    return screen, file


def eventually(file: StringIO, text: str) -> None:
    until = time.monotonic() + 30
    while text not in file.getvalue():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_without_a_terminal_a_line_says_what_begins_and_others_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_work, "EVERY_SECONDS", 0.05)
    screen, file = made(is_terminal=False)
    with screen.busy("Copying") as work:
        assert file.getvalue() == "  Copying\n"
        eventually(file, "  Copying, 0.")
        work.now = "3 MiB"
        eventually(file, "  Copying: 3 MiB, 0.")
    said = file.getvalue()
    time.sleep(0.2)
    assert file.getvalue() == said


def test_work_that_is_short_takes_one_line() -> None:
    screen, file = made(is_terminal=False)
    with screen.busy("Copying"):
        pass
    assert file.getvalue() == "  Copying\n"


def test_a_terminal_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, file = made(is_terminal=True)
    with screen.busy("Copying") as work:
        work.now = "3 MiB"
        eventually(file, "Copying: 3 MiB")


def test_a_reader_who_is_gone_ends_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_work, "EVERY_SECONDS", 0.01)
    screen, _ = made(is_terminal=False)
    ended = []

    def gone(*_: object, **__: object) -> None:
        ended.append(True)
        raise SystemExit(1)

    with screen.busy("Copying"):
        monkeypatch.setattr(screen.console, "print", gone)
        until = time.monotonic() + 30
        while not ended:
            assert time.monotonic() < until
            time.sleep(0.01)
