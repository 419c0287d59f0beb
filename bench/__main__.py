"""`make bench`: measures everything in turn, writes `bench/results/latest.json` and `docs/benchmarks.md`.

`python -m bench --only bring_up scan` measures some parts and prints them; nothing is written.
"""

import argparse
import asyncio
import importlib
import os
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from bench.ending import end_when_told
from bench.machine import commit, described, load
from bench.page.tables import summary
from bench.results import Machine, PartResult, Run
from bench.turns import Setting

ROOT = Path(__file__).resolve().parents[1]
LATEST = ROOT / "bench" / "results" / "latest.json"
PARTS = {
    "bring_up": 160,
    "prepared_network": 110,
    "warm_pool": 60,
    "decision": 150,
    "scan": 320,
    "guard_sessions": 85,
    "guard_requests": 20,
    "sessions_at_once": 65,
    "targets": 45,
    "discoveries": 45,
    "scoring": 15,
    "discovery_lists": 20,
    "production": 40,
    "event_streams": 20,
    "idle": 25,
}
"""Modules of bench/parts, in the order of the page → the seconds after which each begins no fourth round.
Together some 20 minutes on 2 cores."""
ALONE = {"fleet": 600, "prediction": 2400, "prediction_campus": 2400, "duration": 900}
"""Parts that run when they are named only: they take longer, need root, or say nothing about speed."""
LONGER = 5
# What the tests run services with serves here too.
sys.path += [str(ROOT / "tests" / "support"), str(ROOT / "approval" / "tests" / "support")]


def main() -> None:
    """Measure, print each part as it ends, write what was measured. Exit code 1 when a part failed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=PARTS | ALONE, metavar="PART", help=", ".join(PARTS | ALONE)
    )
    parser.add_argument("--write", action="store_true", help="with --only: renew these parts of the page")
    parser.add_argument("--rounds", type=int, help="at most so many; fewer than three have no interval")
    parser.add_argument("--long", action="store_true", help="more rounds, and the largest sizes")
    parser.add_argument("--draw", action="store_true", help="measure nothing, write the page again")
    wanted = parser.parse_args()
    os.chdir(ROOT)
    if wanted.draw:
        _write(_stored() or parser.error(f"nothing was measured yet: {LATEST.relative_to(ROOT)} is missing"))
        return
    end_when_told()
    here = described()
    run = Run(machine=here, load=load(), parts=_kept(_stored(), here))
    for name in wanted.only or PARTS:
        measured = _attempted(name, long=wanted.long, most=wanted.rounds)
        if wanted.only and (stored := _stored()) is not None:
            # Read only now: another part may have been measured meanwhile.
            run = stored
        run = _with(run, name, measured, here)
        if wanted.write or not wanted.only:
            _write(run)
    sys.exit(1 if run.failed.keys() & set(wanted.only or PARTS) else 0)


def _stored() -> Run | None:
    return Run.model_validate_json(LATEST.read_text()) if LATEST.exists() else None


def _kept(stored: Run | None, here: Machine) -> list[PartResult]:
    """Return what a run of all parts does not measure again."""
    if stored is None:
        return []
    named = [part for part in stored.parts if part.part in ALONE]
    machines = [part.machine or stored.machine for part in named]
    return [
        part.model_copy(update={"machine": None if machine == here else machine})
        for part, machine in zip(named, machines, strict=True)
    ]


def _attempted(name: str, *, long: bool, most: int | None) -> PartResult | str:
    """Measure one part, or return why it failed: that costs no other part's measurements."""
    try:
        return _measured(name, long=long, most=most)
    except Exception as error:  # noqa: BLE001 - whatever it is, the page says so
        traceback.print_exception(error)
        return f"{type(error).__name__}: {error}"[:300]


def _with(run: Run, name: str, measured: PartResult | str, here: Machine) -> Run:
    parts = {part.part: part for part in run.parts if part.part != name}
    failed = {other: why for other, why in run.failed.items() if other != name}
    if isinstance(measured, str):
        failed[name] = measured
    else:
        parts[name] = measured.model_copy(update={"machine": None if here == run.machine else here})
    in_order = [parts[each] for each in PARTS | ALONE if each in parts]
    return run.model_copy(update={"parts": in_order, "failed": failed})


def _measured(name: str, *, long: bool, most: int | None) -> PartResult:
    part = importlib.import_module(f"bench.parts.{name}")
    before, began = load(), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {name}: {text}", file=sys.stderr, flush=True)

    setting = Setting(long, say, (PARTS | ALONE)[name] * (LONGER if long else 1), most)
    result: PartResult = asyncio.run(part.measure(setting))
    about = {
        "load": (before, load()),
        "seconds": time.monotonic() - began,
        "made_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(ROOT),
        "long": long,
    }
    result = result.model_copy(update=about)
    print(f"\n## {result.title}\n\n{summary(result)}\n", flush=True)
    return result


def _write(run: Run) -> None:
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(run.model_dump_json(indent=1, by_alias=True) + "\n")
    # matplotlib takes a second to load; only what draws needs it.
    importlib.import_module("bench.page.writing").write(run, ROOT / "docs")


if __name__ == "__main__":
    main()
