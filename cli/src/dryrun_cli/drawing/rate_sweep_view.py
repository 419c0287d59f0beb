"""Draws sweeps over packet rates: what each rate did, and which is recommended."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.drawing.glyphs import Glyphs
from dryrun_cli.drawing.safe_text import inert, shown
from dryrun_contract.experiment_results import Interval, RateSweep

_STYLES: Final = {"safe": "green", "harms": "red", "loses": "red", "uncertain": "yellow"}
_VERDICTS: Final = {"recommended": "green", "none_safe": "red", "too_few_repetitions": "yellow"}


def draw_rate_sweeps(sweeps: Sequence[RateSweep], glyphs: Glyphs) -> Iterator[RenderableType]:
    """Yield a table of every rate, and one sentence for each way to scan."""
    if not any(sweep.points for sweep in sweeps):
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("RATE", no_wrap=True)
    for name in ("RECALL", "HARM", "SECONDS", "SESSIONS"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("STATE")
    for sweep in sweeps:
        for point in sweep.points:
            state = Text(point.state, style=_STYLES[point.state])
            table.add_row(
                shown(f"{sweep.name} {point.rate:,}/s" if len(sweeps) > 1 else f"{point.rate:,}/s"),
                _figure(point.recall, ".2f"),
                _figure(point.harm, ".2f"),
                _figure(point.seconds, ".1f"),
                f"{point.runs}",
                state.append(f": {inert(point.reason, 300)}" if point.reason else "", "default"),
            )
    yield Text("")
    yield table
    signs = {"recommended": glyphs.done, "none_safe": glyphs.bad, "too_few_repetitions": glyphs.warning}
    for sweep in sweeps:
        of = f", {inert(sweep.name)}" if len(sweeps) > 1 else ""
        sign = Text(f"{signs[sweep.verdict]} ", style=_VERDICTS[sweep.verdict])
        yield sign.append(f"Recommended rate{of}: {inert(sweep.sentence, 600)}", "default")


def _figure(interval: Interval, form: str) -> str:
    return "-" if interval.value is None else f"{interval.value:{form}}"
