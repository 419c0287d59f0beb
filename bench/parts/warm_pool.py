"""A session claimed from the warm pool, beside Compose and until the decision page."""

import asyncio
import os
import time

from bench.contestants.compose import bring_up_and_remove
from bench.results import Measured, PartResult, Ratio
from bench.system import LIMIT, Sessions, running_sessions
from bench.turns import Setting, in_turn
from dryrun_cli.api.reading import read_session, read_word
from dryrun_contract.pool import Pool
from dryrun_contract.session import Phase

ABOUT = """\
The orchestrator keeps one session of the template prepared. A start claims it: until the API says that every
target is healthy and the scan begins, beside `docker compose up --wait`, in turn, each once the next session
is prepared. Then claimed sessions run to their end: until everything is removed and the report is there as a
page. Preparing is not counted, and goes on beside the claimed session's scan."""

_LOOK_SECONDS = 0.01
_BEFORE = ("requested", Phase.QUEUED, Phase.PROVISIONING, Phase.WAITING)


async def measure(setting: Setting) -> PartResult:
    """Claim sessions of `small` and `large`."""
    measured, ratios = [], []
    for template, pairs, whole in (
        ("small", setting.rounds(5, long=10), setting.rounds(3, long=5)),
        ("large", setting.rounds(3, long=5), setting.rounds(2, long=3)),
    ):
        async with running_sessions({**os.environ, "ORCHESTRATOR_POOL": f"{template}=1"}) as sessions:
            ours, theirs = await _beside_compose(sessions, template, pairs, setting)
            measured.append(Measured(name=f"{template}, until healthy: a claimed session", values=ours))
            measured.append(Measured(name=f"{template}, until healthy: docker compose", values=theirs))
            name = f"{template}: claimed until healthy, to `docker compose up --wait`"
            goal = "pool-compose" if template == "small" else None
            ratios.append(Ratio(name=name, pairs=list(zip(ours, theirs, strict=True)), goal=goal))
            took = []
            for number in range(1, whole + 1):
                setting.say(f"{template}: decision page {number} of {whole}")
                took.append(await _decide(sessions, template))
            name = f"{template}, click to decision page: a claimed session"
            measured.append(Measured(name=name, values=took, goal=f"decision-pool-{template}"))
    return PartResult(
        part="warm_pool", title="From the warm pool", about=ABOUT, measured=measured, ratios=ratios
    )


async def claim(sessions: Sessions, template: str) -> float:
    """Return the seconds until a prepared session is healthy for who asks; it is removed again.

    Raises RuntimeError if it started cold.
    """
    await prepared(sessions, template)
    begin = time.monotonic()
    session_id = await sessions.start(template)
    async with asyncio.timeout(LIMIT.total_seconds()):
        while True:
            view = read_session(await sessions.client.session(session_id))
            if view.phase not in _BEFORE:
                break
            await asyncio.sleep(_LOOK_SECONDS)
    seconds = time.monotonic() - begin
    await sessions.end(session_id)
    if view.prepared_at is None:
        raise RuntimeError(f"session {session_id} started cold: {view.reason or view.phase}")
    return seconds


async def prepared(sessions: Sessions, template: str) -> None:
    """Return once a session of `template` is ready."""
    async with asyncio.timeout(LIMIT.total_seconds()):
        while True:
            lines = read_word(
                Pool, await sessions.client.ask("GET", "/dryrun/pool"), "what is prepared"
            ).lines
            if any(line.ready for line in lines if line.template == template):
                return
            await asyncio.sleep(0.2)


async def _beside_compose(
    sessions: Sessions, template: str, rounds: int, setting: Setting
) -> tuple[list[float], list[float]]:
    installation = sessions.installation
    path = installation.root / "templates" / f"{template}.yml"

    async def compose() -> float:
        await prepared(sessions, template)
        up, _ = await asyncio.to_thread(bring_up_and_remove, path, installation.allowlist)
        return up

    took = await in_turn(
        {"claim": lambda: claim(sessions, template), "compose": compose},
        rounds,
        setting.share(0.3, template),
        warm_up=True,
    )
    return took["claim"], took["compose"]


async def _decide(sessions: Sessions, template: str) -> float:
    await prepared(sessions, template)
    begin = time.monotonic()
    session_id = await sessions.start(template)
    await sessions.until(session_id, Phase.ENDED)
    await sessions.client.written_report(session_id, "html")
    return time.monotonic() - begin
