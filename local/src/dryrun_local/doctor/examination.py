"""Prints what this machine lacks for dry-runs, and how to get it."""

import json
import os
import sys
from dataclasses import asdict

from rich.text import Text

from dryrun_contract.text import printable
from dryrun_local.doctor.check_result import CheckResult
from dryrun_local.doctor.checks import all_results
from dryrun_local.machine.installation import Installation
from dryrun_local.terminal.screen import Screen

_NAME_WIDTH = 18


async def examine(installation: Installation, screen: Screen, *, as_json: bool) -> int:
    """Print one line for each check, and below it the fixes for what is missing.

    Returns 1 if anything is missing, else 0.
    """
    results = []
    async for result in all_results(installation, os.environ):
        results.append(result)
        if not as_json:
            _draw(result, screen)
    missing = sum(result.state == "missing" for result in results)
    if as_json:
        sys.stdout.write(json.dumps([asdict(result) for result in results], ensure_ascii=True) + "\n")
    elif missing:
        screen.say(
            f"{missing} of {len(results)} checks found something missing; apply the fixes and run it again."
        )
    else:
        screen.say("Ready for dry-runs: make demo")
    return 1 if missing else 0


def _draw(result: CheckResult, screen: Screen) -> None:
    sign, style = {
        "ok": (screen.glyphs.done, "green"),
        "missing": (screen.glyphs.bad, "bold red"),
        "note": (screen.glyphs.warning, "yellow"),
    }[result.state]
    line = Text(f"{sign} ", style=style).append(f"{result.check:{_NAME_WIDTH}} ", "default")
    screen.console.print(line.append(printable(result.detail, limit=500), "default"), soft_wrap=True)
    for fix in result.fixes:
        screen.console.print(Text(f"    {printable(fix, limit=500)}", "bold"), soft_wrap=True)
