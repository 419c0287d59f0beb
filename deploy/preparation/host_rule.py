"""Whether the host rule of this release is in force here: behind another one sessions fail, or reach more."""

import subprocess
from collections.abc import Iterator

from advice import Hint
from settings_file import DEPLOY

PROGRAM = DEPLOY / "host-rule" / "dryrun-host-rule"
NOT_ROOT = 3
"""Its exit code where it cannot look."""
MOST_NAMED = 3
SECONDS = 60


def advice_on_host_rule() -> Iterator[str]:
    """Yield what the rule's own check finds missing, with what repairs it."""
    command = f"{PROGRAM} check"
    try:
        done = subprocess.run(
            [PROGRAM, "check"], capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        yield f"see why {command} did not end within {SECONDS} s"
        return
    if done.returncode == NOT_ROOT:
        yield Hint(f"run {command} as root: only root sees whether the host rule is this release's")
    elif done.returncode:
        said = [line.removeprefix("dryrun-host-rule: ") for line in done.stderr.splitlines()]
        found = [line.removeprefix("  - ") for line in said if line.startswith("  - ")]
        repair = [line for line in said if line.startswith("to repair it")]
        more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
        why = "; ".join([*found[:MOST_NAMED], *more, *repair]) or "; ".join(said)
        yield f"mend the host rule, which is not this release's or not wholly in force; {command} says: {why}"
