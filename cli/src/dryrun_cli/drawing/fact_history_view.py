"""Draws one fact over the versions of the collectors that looked for it."""

from rich.console import Group, RenderableType
from rich.text import Text

from dryrun_cli.drawing.glyphs import Glyphs
from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.moments import dated, minute
from dryrun_cli.drawing.safe_text import folded, inert
from dryrun_contract.fact_history import FactHistory, FactVersion

_MOST_FATES = 20


def draw_history(history: FactHistory, glyphs: Glyphs) -> RenderableType:
    """Return one row per version, the one that ran last first."""
    attribute = f" {history.attribute}" if history.attribute else ""
    title = Text(inert(f"{history.kind} {history.key}{attribute}", 300), style="bold")
    title.append(f", template {inert(history.template)}", "not bold")
    if history.expected is not None:
        # A product has several spellings, a table several columns.
        true = history.expected if isinstance(history.expected, list) else [history.expected]
        title.append(f", true: {inert(', '.join(map(str, true)), 120)}", "not bold")
    if not history.versions:
        return Group(title, Text("No session of an experiment or schedule has this fact."))
    names = ("COLLECTORS", dated("LAST RUN"), "FOUND", "RUNS", "REPORTED")
    table = listing(*names, give_way={"COLLECTORS", "RUNS", "REPORTED"})
    for version in history.versions:
        style = "green" if version.found == version.of else "red" if not version.found else "yellow"
        table.add_row(
            folded(_names(version), 50),
            minute(version.runs[-1].at),
            Text(f"{version.found} of {version.of}", style=style),
            _fates(version, glyphs),
            folded(", ".join(f"{value!r} in {count}" for value, count in version.values.items()) or "-"),
        )
    older = [Text("Older runs are left out.", style="dim")] if history.more else []
    return Group(title, table, *older)


def _names(version: FactVersion) -> str:
    return ", ".join(
        f"{each.collector} {each.image.removeprefix('sha256:')[:8]}" for each in version.collectors
    )


def _fates(version: FactVersion, glyphs: Glyphs) -> Text:
    signs = {"found": (glyphs.done, "green"), "missed": (glyphs.bad, "red")}
    text = Text()
    for run in version.runs[-_MOST_FATES:]:
        sign, style = signs.get(run.fate, (glyphs.dot, "dim"))
        text.append(sign, style)
    return text
