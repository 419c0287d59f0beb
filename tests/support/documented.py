"""Finds what a page of the documentation says wrongly: names, commands, and tables that a gap cuts in two."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from named_code import ROOT, exists, missing_in
from typer.core import TyperGroup
from typer.main import get_command

from dryrun_cli.main import app
from dryrun_local.main import app as local_app

MADE_BY_OPERATORS = {
    *("deploy/fleet/host", "deploy/fleet/orchestrator", "deploy/fleet/config"),
    "images/mongodb-official",
}
_LEFT_OUT = ("node_modules", ".venv", ".uv")
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_INSIDE = re.compile(r"([a-z_]+(?:\.\w+)+)(?:\([^)]*\))?")
"""A dotted name inside a package, such as `recipes.matching.Matcher.match(service)`."""
_MODULE = re.compile(r"(?:\.\./|[\w-]+/)*\w+\.py")
_WRITTEN_HERE = re.compile(r"`(\S+)`:\n\n *```")
_CALL = re.compile(r"(?:\S*/)?(dryrun|dryrun-local) (.+)")
_BEFORE_CALL = re.compile(r"^ *(?:- )?(?:run: )?(?:\S*[$#] +)?(?:\w+=\S+ )*")
_AFTER_CALL = re.compile(r"\s(?:#|\||&&|;|>|2>)|[;…]|$")
_CELL = re.compile(r"(?<!\\)\|")


def pages() -> list[Path]:
    """Return every page of this checkout, relative to it."""
    return sorted(
        path.relative_to(ROOT)
        for path in ROOT.rglob("*.md")
        if not any(part.startswith(".") or part in _LEFT_OUT for part in path.relative_to(ROOT).parts)
    )


def current_pages() -> list[Path]:
    """Return the pages that describe what is there now: a record, or a change, describes its own time."""
    return [page for page in pages() if page.name != "CHANGELOG.md" and page.parent.name != "adr"]


def without_blocks(text: str) -> str:
    """Return a page's text without its blocks of code."""
    return _BLOCK.sub("", text)


def missing_names(page: Path) -> Iterator[str]:
    """Yield what a page names in backquotes and this checkout does not have.

    Names may be relative to the page's folder, or to the package of its distribution.
    """
    yield from dict.fromkeys(_missing_names(page))


def _missing_names(page: Path) -> Iterator[str]:
    whole = (ROOT / page).read_text(encoding="utf-8")
    text = without_blocks(whole)
    written = {*_WRITTEN_HERE.findall(whole), *MADE_BY_OPERATORS}
    for name in missing_in(text, page.parent):
        if "/" not in name or (name not in written and _should_be_there(name, page)):
            yield name
    for span in _SPAN.findall(text):
        if _MODULE.fullmatch(span):
            known = {*_modules(page), *(f"/{each}" for each in written)}
            if not (ROOT / span).exists() and not any(path.endswith(f"/{span}") for path in known):
                yield span
        elif (inside := _INSIDE.fullmatch(span)) and _is_missing_inside(inside[1], page):
            yield span


def _should_be_there(path: str, page: Path) -> bool:
    """Return whether a missing path begins in a folder of ours, and nothing that runs would make it."""
    first = path.partition("/")[0]
    if "NAME" in path or not any((house / first).is_dir() for house in (ROOT, ROOT / page.parent)):
        return False
    return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode != 0


def _modules(page: Path) -> frozenset[str]:
    """Return the modules that a page may mean: of its distribution, or of all."""
    return _modules_below(ROOT if page.parts[0] in {"docs", page.name} else ROOT / page.parts[0])


@cache
def _modules_below(house: Path) -> frozenset[str]:
    return frozenset(
        path.as_posix() for path in house.rglob("*.py") if not any(part in _LEFT_OUT for part in path.parts)
    ) | {"/NAME.py", "/parts/NAME.py"}


def _is_missing_inside(name: str, page: Path) -> bool:
    """Return whether a name begins with a folder or module of the page's package, and is not in it."""
    first, _, rest = name.partition(".")
    for package in (ROOT / page.parts[0]).glob("src/*"):
        if (package / first).is_dir() or (package / f"{first}.py").is_file():
            return rest not in {"py", "md", "json", "yml"} and not exists(f"{package.name}.{name}")
    return False


def refused_commands(page: Path) -> Iterator[str]:
    """Yield each call of `dryrun` or `dryrun-local` on a page that its command line would refuse."""
    text = (ROOT / page).read_text(encoding="utf-8")
    calls: list[str] = _SPAN.findall(without_blocks(text))
    for language, block in _BLOCK.findall(text):
        if language in {"", "console", "sh", "yaml"}:
            calls += [_BEFORE_CALL.sub("", line) for line in block.splitlines()]
    for call in calls:
        found = _CALL.fullmatch(call)
        if found and (why := why_refused(found[1], found[2])):
            yield f"{call}: {why}"


def why_refused(program: str, rest: str) -> str | None:
    """Return why a command line is none, by its commands and options; arguments are not looked at.

    >>> why_refused("dryrun", "delivery show ID [--state dead]")
    >>> why_refused("dryrun", "follow ID"), why_refused("dryrun", "list --wrong")
    ('no command follow', 'no option --wrong')
    """
    command = _programs()[program]
    options = _options(command)
    end = _AFTER_CALL.search(rest)
    before = ""
    for word in re.findall(r"[^\s\[\]|,\\]+", rest[: end.start()] if end else rest):
        is_value = before.startswith("-") and "=" not in before and not options[before]
        before = word
        if isinstance(command, TyperGroup) and command.name == "report" and word not in command.commands:
            command = command.commands["show"]
            options |= _options(command)
        if word.startswith("-"):
            if word.partition("=")[0] not in options:
                return f"no option {word}"
        elif isinstance(command, TyperGroup) and not is_value and re.fullmatch(r"[a-z][a-z-]*", word):
            if word not in command.commands:
                return None if _takes_arguments(command) else f"no command {word}"
            command = command.commands[word]
            options |= _options(command)
    return None


def _takes_arguments(command: Any) -> bool:
    return any(each.param_type_name == "argument" for each in command.params)


def _options(command: Any) -> dict[str, bool]:
    """Return a command's options, and whether each is a flag."""
    own = {
        name: bool(each.is_flag)
        for each in command.params
        if each.param_type_name == "option"
        for name in (*each.opts, *each.secondary_opts)
    }
    return own | dict.fromkeys(("--help", "-h", "--install-completion"), True)


@cache
def _programs() -> dict[str, Any]:
    return {"dryrun": get_command(app), "dryrun-local": get_command(local_app)}


def broken_tables(text: str) -> Iterator[str]:
    """Yield the first row of each table without a heading, as after a gap, and each row of another width."""
    rows: list[str] = []
    for line in [*without_blocks(text).splitlines(), ""]:
        if line.lstrip().startswith("|"):
            rows.append(line.strip())
            continue
        if rows:
            yield from _broken(rows)
        rows = []


def _broken(rows: list[str]) -> Iterator[str]:
    if len(rows) < 2 or not re.fullmatch(r"\|(?: ?:?-+:? ?\|)+", rows[1]):
        yield rows[0]
        return
    width = len(_CELL.findall(rows[0]))
    yield from (row for row in rows if len(_CELL.findall(row)) != width or not row.endswith("|"))
