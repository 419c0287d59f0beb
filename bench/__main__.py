"""`make bench`: measures everything in turn, writes `bench/results/latest.json` and `docs/benchmarks.md`.

`python -m bench --only bring_up scan` measures some parts and prints them; nothing is written.
"""

import argparse
import asyncio
import importlib
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import commit, described, load
from bench.page.tables import summary
from bench.results import PartResult, Run
from bench.turns import Setting

ROOT = Path(__file__).resolve().parents[1]
LATEST = ROOT / "bench" / "results" / "latest.json"
PARTS = {
    "bring_up": 230,
    "warm_pool": 110,
    "decision": 200,
    "scan": 320,
    "guard_sessions": 85,
    "guard_requests": 20,
    "sessions_at_once": 65,
    "targets": 45,
    "discoveries": 45,
    "scoring": 15,
    "discovery_lists": 20,
    "event_streams": 20,
    "idle": 25,
}
"""Modules of bench/parts, in the order of the page → the seconds of 20 minutes that each may take."""
LONGER = 5
# What the tests run services with serves here too.
sys.path += [str(ROOT / "tests" / "support"), str(ROOT / "approval" / "tests" / "support")]


def main() -> None:
    """Measure, print each part as it ends, write what was measured."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--long", action="store_true", help="more rounds, and the largest sizes")
    parser.add_argument(
        "--draw", action="store_true", help="measure nothing, write the page of the last run anew"
    )
    wanted = parser.parse_args()
    if wanted.draw:
        _write(Run.model_validate_json(LATEST.read_text()))
        return
    os.chdir(ROOT)
    begin = time.monotonic()
    parts = [_measured(name, begin, long=wanted.long) for name in wanted.only or PARTS]
    run = Run(
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(ROOT),
        long=wanted.long,
        machine=described(),
        parts=parts,
    )
    if wanted.only is None:
        LATEST.parent.mkdir(exist_ok=True)
        LATEST.write_text(run.model_dump_json(indent=1, by_alias=True) + "\n")
        _write(run)
        print(f"written: {LATEST.relative_to(ROOT)}, docs/benchmarks.md")


def _measured(name: str, begin: float, *, long: bool) -> PartResult:
    part = importlib.import_module(f"bench.parts.{name}")

    def say(text: str) -> None:
        print(f"{time.monotonic() - begin:6.0f} s  {name}: {text}", file=sys.stderr, flush=True)

    before, began = load(), time.monotonic()
    result: PartResult = asyncio.run(part.measure(Setting(long, say, PARTS[name] * (LONGER if long else 1))))
    seconds = time.monotonic() - began
    result = result.model_copy(update={"load": (before, load()), "seconds": seconds})
    print(f"\n## {result.title}\n\n{summary(result)}\n", flush=True)
    return result


def _write(run: Run) -> None:
    # matplotlib takes a second to load; only what draws needs it.
    page = importlib.import_module("bench.page.writing")
    page.write(run, ROOT / "docs")


if __name__ == "__main__":
    main()
