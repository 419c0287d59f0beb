"""What targets cost: sessions of 5, 10, 15 and 20 of them, until healthy and until nothing is left."""

import tempfile
from functools import partial
from pathlib import Path

import yaml

from bench.orchestrators import guarded_orchestrator
from bench.results import Growth, PartResult
from bench.system import ROOT
from bench.turns import Setting, in_turn

ABOUT = """\
The first 5, 10, 15 and 20 targets of the template `large`, brought up in turn by sessions behind the guard
and removed as soon as all are healthy. Slope 1: time grows with the number of targets; below 1, they
overlap."""
NUMBERS = (5, 10, 15, 20)
POOL = "10.213.160.0/19"


async def measure(setting: Setting) -> PartResult:
    """Bring them up in turn."""
    with tempfile.TemporaryDirectory(prefix="db-") as folder:
        for number in NUMBERS:
            (Path(folder) / f"first-{number}.yml").write_text(shortened(number))
        async with guarded_orchestrator(pool=POOL, templates=Path(folder)) as orchestrator:
            times = await in_turn(
                {
                    f"{number} targets": partial(orchestrator.bring_up, f"first-{number}")
                    for number in NUMBERS
                },
                setting.rounds(3, long=8),
                setting,
                warm_up=True,
            )
    points = [(float(number), pair) for number in NUMBERS for pair in times[f"{number} targets"]]
    work = "targets in a session"
    return PartResult(
        part="targets",
        title="Targets in a session",
        about=ABOUT,
        growths=[
            Growth(
                name="until healthy",
                work=work,
                cost="seconds",
                points=[(number, healthy) for number, (healthy, _) in points],
            ),
            Growth(
                name="until nothing is left",
                work=work,
                cost="seconds",
                points=[(number, removal) for number, (_, removal) in points],
            ),
        ],
    )


def shortened(number: int) -> str:
    """Return the template `large` with its first services only."""
    template = yaml.safe_load((ROOT / "templates" / "large.yml").read_text())
    template["services"] = dict(list(template["services"].items())[:number])
    # They name services that are not there any more.
    template["x-dryrun"].pop("shuffle", None)
    return yaml.safe_dump(template, sort_keys=False)
