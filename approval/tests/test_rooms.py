"""The picture of the rooms in `docs/architecture.md` shows what the code imports, and no arrow points up."""

import re
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
ARROW = re.compile(r"^    (\w+) --> (\w+)$", re.MULTILINE)

type Arrows = set[tuple[str, str]]


def drawn() -> Arrows:
    page = (ROOT / "docs/architecture.md").read_text()
    (picture,) = re.findall(r"```mermaid\nflowchart TB\n(.*?)```", page, re.DOTALL)
    return set(ARROW.findall(picture))


def imported() -> Arrows:
    graph = grimp.build_graph("approval_api", cache_dir=None)
    arrows = {
        (module.split(".")[1], target.split(".")[1])
        for module in graph.modules - {"approval_api"}
        for target in graph.find_modules_directly_imported_by(module) - {"approval_api"}
    }
    return {(room, target) for room, target in arrows if room != target}


def without_shortcuts(arrows: Arrows) -> Arrows:
    """Leave out the arrows that a longer way already implies."""
    below: dict[str, set[str]] = {}
    for room in {room for room, _ in arrows}:
        below[room], ahead = set(), {target for source, target in arrows if source == room}
        while ahead:
            ahead = {target for source, target in arrows if source in ahead} - below[room]
            below[room] |= ahead
    return {(room, target) for room, target in arrows if target not in below[room]}


def test_the_picture_of_the_rooms_shows_what_is_imported():
    expected = without_shortcuts(imported())
    assert drawn() == expected, "\n".join(f"    {room} --> {target}" for room, target in sorted(expected))


def test_no_arrow_between_rooms_points_up():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == ["approval_api"]]
    height = {room: number for number, layer in enumerate(layers) for room in layer.split(" | ")}
    assert {(room, target) for room, target in imported() if height[room] >= height[target]} == set()
