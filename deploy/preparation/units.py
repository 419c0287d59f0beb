"""What is left to do where systemd runs the services, which have their settings in their units."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from shlex import split

from guard_policy import Beside, advice_on_policy

from dryrun_orchestrator.settings import Settings

UNIT = "dryrun-orchestrator"
RESTART = "systemctl restart docker-guard"
SECONDS = 10


def advice_on_units(policy: Path) -> Iterator[str]:
    """Yield what the guard's policy lacks, beside the orchestrator's settings as systemd has them."""
    given = _environment()
    sessions: int = Settings.model_fields["sessions_at_once"].default
    pool: IPv4Network = Settings.model_fields["subnet_pool"].default
    # What is no number and no network is the service's own to refuse.
    with suppress(ValueError):
        sessions = int(given.get("ORCHESTRATOR_SESSIONS_AT_ONCE", sessions))
    with suppress(ValueError):
        pool = IPv4Network(given.get("ORCHESTRATOR_SUBNET_POOL", pool))
    pool_is = f"ORCHESTRATOR_SUBNET_POOL of {UNIT}.service is {pool}"
    yield from advice_on_policy(policy, Beside(sessions, pool, pool_is, None, RESTART, RESTART))


def _environment() -> Mapping[str, str]:
    """Return the unit's variables; none where systemd does not run, or does not know the unit yet."""
    show = ["systemctl", "show", "--property=Environment", "--value", UNIT]
    try:
        done = subprocess.run(show, capture_output=True, text=True, check=False, timeout=SECONDS)
        words = split(done.stdout) if done.returncode == 0 else []
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return dict(word.split("=", 1) for word in words if re.match(r"\w+=", word))
