"""A session across three hosts beside the same on one of them, and beside `docker stack deploy`.

Run as a program, it is what runs inside of `tests/support/with-own-engine`, and prints its result as JSON.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.contestants import stack_deploy
from bench.results import Measured, PartResult, Ratio
from bench.system import ROOT, Sessions, reached, running_sessions
from bench.turns import Setting, in_turn
from dryrun_contract.session import Phase
from dryrun_local.machine.installation import Installation

ABOUT = """\
Three engines of one swarm on this machine, a guard beside each, all sharing its processors: what several
hosts cost, not what they gain. Each brings up `large` and removes it again, in turn: a session spread over
the three hosts, on an overlay that each host proves to be shut and to reach the others, and from which each
asks every target of the others once they are healthy; the same session whole on one of them; and `docker
stack deploy --resolve-image=never` of the same images by their IDs, with the same limits and capabilities,
until every service has a healthy container, then `stack rm` until the network is gone. A service takes no
owner of a tmpfs, so there each is a volume of the local driver that is one; it has no fixed address and no
`no-new-privileges`, and nothing proves that its network is shut. A session's time until healthy begins with
the request. The guards' processor time is that of all three together until then."""
ACROSS, WHOLE, STACK = "a session across three hosts", "a session on one of them", "docker stack deploy"
TEMPLATE = ROOT / "templates" / "large.yml"
SECONDS = 1200

type Times = tuple[float, float, float]
"""Seconds until healthy, seconds until nothing is left, and processor seconds of the guards until healthy."""
type Work = Callable[[], float]
"""Returns the processor seconds of all guards so far."""


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
    guards = {name: [each[2] for each in found[name]] for name in (ACROSS, WHOLE)}
    return PartResult(
        part="fleet",
        title="Across hosts",
        about=ABOUT,
        measured=[
            *(Measured(name=f"large, until healthy: {name}", values=values) for name, values in up.items()),
            *(Measured(name=f"large, removal: {name}", values=values) for name, values in down.items()),
            *(
                Measured(name=f"large, processor time of the guards: {name}", values=guards[name])
                for name in guards
            ),
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

    allowlist = Installation.here().allowlist
    with (
        tempfile.TemporaryDirectory(prefix="fb-", ignore_cleanup_errors=True) as name,
        open_fleet(Path(name) / "fleet", allowlist) as fleet,
    ):
        state = Path(name) / "state"
        _prepare(state, allowlist)
        (state / "fleet.yml").write_text(fleet.fleet_file())
        # A state of its own, with a template that this checkout has not.
        os.environ["DRYRUN_LOCAL_STATE"] = str(state)
        guards = [host.guard.pid for host in fleet.hosts.values() if host.guard is not None]
        manager = fleet.manager.docker_host
        found = asyncio.run(_on_fleet(state, manager, lambda: _work(guards), int(sys.argv[1])))
    print(json.dumps(found))


def _prepare(state: Path, allowlist: Path) -> None:
    templates = Installation(ROOT, state).replica_templates
    templates.mkdir(parents=True)
    text = TEMPLATE.read_text()
    (templates / "across.yml").write_text(text.replace("x-dryrun:\n", "x-dryrun:\n  spread: targets\n", 1))
    shutil.copy(allowlist, state)


async def _on_fleet(state: Path, docker_host: str, work: Work, rounds: int) -> dict[str, list[Times]]:
    environ = {
        **os.environ,
        "ORCHESTRATOR_FLEET": str(state / "fleet.yml"),
        "ORCHESTRATOR_SUBNET_POOL": "10.213.0.0/17",
    }
    async with running_sessions(environ) as sessions:

        async def stack() -> Times:
            allowlist = sessions.installation.allowlist
            deployed = stack_deploy.bring_up_and_remove
            return *await asyncio.to_thread(deployed, docker_host, TEMPLATE, allowlist), 0.0

        contestants = {
            ACROSS: lambda: _session(sessions, "across", work),
            WHOLE: lambda: _session(sessions, "large", work),
            STACK: stack,
        }
        setting = Setting(say=lambda text: print(text, file=sys.stderr, flush=True))
        return await in_turn(contestants, rounds, setting, warm_up=True)


async def _session(sessions: Sessions, template: str, work: Work) -> Times:
    begin, worked = time.time(), work()
    session_id = await sessions.start(template)
    events = await sessions.until(session_id, Phase.SCANNING)
    worked = work() - worked
    healthy = reached(events, Phase.SCANNING)
    assert healthy is not None
    return healthy - begin, await sessions.end(session_id), worked


def _work(pids: list[int]) -> float:
    # After the name, which ends with the last bracket: 12th and 13th are user and system time.
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
