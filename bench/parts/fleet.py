"""A session across three hosts beside the same on one of them, and beside `docker stack deploy`.

Run as a program, it is what runs inside of `tests/support/with-own-engine`, and prints its result as JSON.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.contestants import stack_deploy
from bench.results import Measured, PartResult, Ratio
from bench.system import ROOT, Sessions, reached, running_sessions
from bench.turns import Setting, in_turn
from dryrun_contract.session import Phase

ABOUT = """\
Three engines of one swarm on this machine, a guard beside each, all sharing its processors: what several
hosts cost, not what they gain. Each brings up `large` and removes it again, in turn: a session spread over
the three hosts, on an overlay whose crossing is proved from each host first; the same session whole on one
host; and `docker stack deploy --resolve-image=never` until every service has a healthy container, then
`stack rm`. A session's time until healthy begins with the request."""
ACROSS, WHOLE, STACK = "a session across three hosts", "a session on one of them", "docker stack deploy"
SECONDS = 1200

type Times = tuple[float, float]
"""Seconds until healthy, and seconds until nothing is left."""


async def measure(setting: Setting) -> PartResult:
    """Bring `large` up and down on a fleet."""
    rounds = setting.rounds(5, long=10)
    setting.say("three engines, a swarm and their guards")
    inside = [
        str(ROOT / "tests/support/with-own-engine"),
        sys.executable,
        "-m",
        "bench.parts.fleet",
        str(rounds),
    ]
    process = await asyncio.create_subprocess_exec(*inside, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the fleet ended with exit code {process.returncode}")
    return _result(json.loads(said.splitlines()[-1]))


def _result(found: dict[str, list[Times]]) -> PartResult:
    up = {name: [each[0] for each in times] for name, times in found.items()}
    down = {name: [each[1] for each in times] for name, times in found.items()}
    return PartResult(
        part="fleet",
        title="Across hosts",
        about=ABOUT,
        measured=[
            *(Measured(name=f"large, until healthy: {name}", values=values) for name, values in up.items()),
            *(Measured(name=f"large, removal: {name}", values=values) for name, values in down.items()),
        ],
        ratios=[
            Ratio(
                name=f"{what}: across hosts to {other}",
                pairs=list(zip(times[ACROSS], times[other], strict=True)),
            )
            for what, times in (("until healthy", up), ("removal", down))
            for other in (WHOLE, STACK)
        ],
    )


def main() -> None:
    """Measure as often as the first argument says, on a fleet of one's own."""
    sys.path += [str(ROOT / "tests" / "support")]
    from fleet_lab import open_fleet  # noqa: PLC0415 - of the tests, found by the line above

    allowlist = ROOT / ".dryrun" / "allowlist.json"
    with (
        tempfile.TemporaryDirectory(prefix="fb-", ignore_cleanup_errors=True) as name,
        open_fleet(Path(name) / "fleet", allowlist) as fleet,
    ):
        folder = Path(name)
        _write_templates(folder / "templates")
        (folder / "fleet.yml").write_text(fleet.fleet_file())
        found = asyncio.run(_on_fleet(folder, fleet.manager.docker_host, allowlist, int(sys.argv[1])))
    print(json.dumps(found))


def _write_templates(folder: Path) -> None:
    text = (ROOT / "templates" / "large.yml").read_text()
    folder.mkdir()
    (folder / "whole.yml").write_text(text)
    (folder / "across.yml").write_text(text.replace("x-dryrun:\n", "x-dryrun:\n  spread: targets\n", 1))


async def _on_fleet(folder: Path, docker_host: str, allowlist: Path, rounds: int) -> dict[str, list[Times]]:
    environ = {
        **os.environ,
        "ORCHESTRATOR_FLEET": str(folder / "fleet.yml"),
        "ORCHESTRATOR_SUBNET_POOL": "10.213.0.0/17",
        "ORCHESTRATOR_TEMPLATES_DIR": str(folder / "templates"),
    }
    async with running_sessions(environ) as sessions:

        def session(template: str) -> Callable[[], Awaitable[Times]]:
            return lambda: _session(sessions, template)

        async def stack() -> Times:
            template = ROOT / "templates" / "large.yml"
            return await asyncio.to_thread(stack_deploy.bring_up_and_remove, docker_host, template, allowlist)

        setting = Setting(say=lambda text: print(text, file=sys.stderr, flush=True))
        contestants = {ACROSS: session("across"), WHOLE: session("whole"), STACK: stack}
        return await in_turn(contestants, rounds, setting, warm_up=True)


async def _session(sessions: Sessions, template: str) -> Times:
    session_id = await sessions.start(template)
    events = await sessions.until(session_id, Phase.SCANNING)
    healthy = reached(events, Phase.SCANNING)
    assert healthy is not None
    return healthy - events[0].at.timestamp(), await sessions.end(session_id)


if __name__ == "__main__":
    main()
