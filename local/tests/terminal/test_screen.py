import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from dryrun_local.terminal.screen import Screen

LONG = (
    "another dryrun-local (process 4711) uses /srv/dryrun/.dryrun; wait for it, or end it with Ctrl-C\n"
    "  templates/acme.yml: services.web: no image of this name is in the allowlist of this installation"
)


def warned(text: str, *, is_terminal: bool) -> list[str]:
    screen = Screen()
    screen.console = Console(file=io.StringIO(), width=80, force_terminal=is_terminal, color_system=None)
    screen.warn(text)
    return screen.console.file.getvalue().splitlines()


def test_a_warning_is_wrapped_between_words_on_a_terminal() -> None:
    lines = warned(LONG, is_terminal=True)
    assert max(map(len, lines)) <= 80
    assert [line[:4] for line in lines] == [f"{Screen().glyphs.bad} an", "  en", "  te", "    "]
    assert " ".join(" ".join(lines)[2:].split()) == " ".join(LONG.split())


@pytest.mark.parametrize("text", [LONG, "short"])
def test_a_warning_in_a_pipe_keeps_its_lines(text: str) -> None:
    assert warned(text, is_terminal=False) == f"{Screen().glyphs.bad} {text}".splitlines()


def test_characters_that_take_two_columns_are_counted_as_two() -> None:
    lines = warned("会话 " * 30, is_terminal=True)
    assert len(lines) > 1
    assert max(map(cell_len, lines)) <= 80
