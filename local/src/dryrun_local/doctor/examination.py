"""Prints what this machine lacks for dry-runs, and how to get it."""

import json
import os
import sys
from dataclasses import asdict

from rich.text import Text

from dryrun_contract.text import printable
from dryrun_local.doctor.checks import Finding, all_findings
from dryrun_local.machine.installation import Installation
from dryrun_local.terminal.screen import Screen

_NAME_WIDTH = 18


async def examine(installation: Installation, screen: Screen, *, as_json: bool) -> int:
    """Print one line for each check, and below it the fixes for what is missing.

    Returns 1 if anything is missing, else 0.
    """
    findings = []
    async for finding in all_findings(installation, os.environ):
        findings.append(finding)
        if not as_json:
            _draw(finding, screen)
    missing = sum(finding.state == "missing" for finding in findings)
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], ensure_ascii=True) + "\n")
    elif missing:
        screen.say(
            f"{missing} of {len(findings)} checks found something missing; apply the fixes and run it again."
        )
    else:
        screen.say("Ready for dry-runs: make demo")
    return 1 if missing else 0


def _draw(finding: Finding, screen: Screen) -> None:
    sign, style = {
        "ok": (screen.glyphs.done, "green"),
        "missing": (screen.glyphs.bad, "bold red"),
        "note": (screen.glyphs.warning, "yellow"),
    }[finding.state]
    line = Text(f"{sign} ", style=style).append(f"{finding.check:{_NAME_WIDTH}} ", "default")
    screen.console.print(line.append(printable(finding.detail, limit=500), "default"), soft_wrap=True)
    for fix in finding.fixes:
        screen.console.print(Text(f"    {printable(fix, limit=500)}", "bold"), soft_wrap=True)
