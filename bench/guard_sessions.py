"""How much longer a whole session takes through the guard: pairs of sessions, with and without it, in turn.

Two orchestrators beside each other, one of them behind a guard; only one has a session at a time. A session's
time is its own events': from queued to ended. Run `make demo` once before.
"""

import argparse
import asyncio
import math
import os
import statistics
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx2

from dryrun_contract.event import Event, EventPage, SessionEnded, SessionQueued
from dryrun_local.machine.engine_view import DEFAULT_HOST
from dryrun_local.machine.installation import Installation
from dryrun_local.system.guard import running_guard
from dryrun_local.system.launch import free_ports
from dryrun_local.system.processes import Program, running

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "guard-sessions-bench"
POOLS = {"guard": "10.213.224.0/20", "direct": "10.213.240.0/20"}
SECONDS = 300.0


@dataclass(frozen=True)
class Orchestrator:
    """One orchestrator that can be asked for sessions."""

    http: httpx2.AsyncClient

    async def session(self, template: str) -> float:
        """Run a session from start to end; return its seconds. Raises RuntimeError if it fails."""
        session_id = uuid4()
        position = await self._position()
        (await self.http.put(f"/sessions/{session_id}", json={"template": template})).raise_for_status()
        try:
            begun = ended = None
            async with asyncio.timeout(SECONDS):
                while ended is None:
                    events = await self._events(position)
                    for event in events:
                        position = f"{event.journal}:{event.seq}"
                        if event.session_id == session_id and isinstance(event.data, SessionQueued):
                            begun = event.at
                        if event.session_id == session_id and isinstance(event.data, SessionEnded):
                            ended, outcome = event.at, event.data
        except BaseException:
            await self.http.post(f"/sessions/{session_id}/stop")
            raise
        if outcome.outcome != "completed" or begun is None:
            raise RuntimeError(f"the session ended as {outcome.outcome}: {outcome.reason}")
        return (ended - begun).total_seconds()

    async def _position(self) -> str:
        page = EventPage.model_validate_json((await self.http.get("/events", params={"limit": "1"})).content)
        last = f"{page.journal}:0"
        while events := await self._events(last, wait="0"):
            last = f"{events[-1].journal}:{events[-1].seq}"
        return last

    async def _events(self, after: str, wait: str = "30") -> tuple[Event, ...]:
        answer = await self.http.get("/events", params={"after": after, "wait": wait})
        return EventPage.model_validate_json(answer.raise_for_status().content).events


@asynccontextmanager
async def orchestrator(state: Path, name: str, docker_host: str) -> AsyncIterator[Orchestrator]:
    """Run an orchestrator for the time of the block."""
    installation = Installation(ROOT, state / name)
    installation.prepare()
    (port,) = free_ports(0)
    url = f"http://127.0.0.1:{port}"
    program = Program(
        name=f"the orchestrator ({name})",
        command=(str(Installation.here().program("dryrun-orchestrator")), "serve"),
        environment=_inherited()
        | {
            "DOCKER_HOST": docker_host,
            "ORCHESTRATOR_TOKEN": TOKEN,
            "ORCHESTRATOR_LISTEN": f"127.0.0.1:{port}",
            "ORCHESTRATOR_STATE_DIR": str(installation.state),
            "ORCHESTRATOR_TEMPLATES_DIR": str(ROOT / "templates"),
            "ORCHESTRATOR_COLLECTORS_DIR": str(ROOT / "collectors" / "manifests"),
            "ORCHESTRATOR_ALLOWLIST": str(Installation.here().allowlist),
            "ORCHESTRATOR_SUBNET_POOL": POOLS[name],
        },
        log=installation.logs / "orchestrator.log",
        stop_seconds=15,
    )
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Actor": "bench"}
    async with (
        running(installation, program) as child,
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as http,
    ):
        await child.until(lambda: _lacking(http), 60)
        yield Orchestrator(http)


async def _lacking(http: httpx2.AsyncClient) -> str:
    try:
        answer = await http.get("/readyz")
    except httpx2.HTTPError as error:
        return f"it does not answer: {error}"
    return "" if answer.is_success else f"it answers {answer.status_code}: {answer.text[:500]}"


def _inherited() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ORCHESTRATOR_", "APPROVAL_", "DRYRUN_"))
    }


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the geometric mean of paired ratios with its 95 % interval, by Student's t on logarithms."""
    logs = [math.log(ratio) for ratio in ratios]
    mean, freedom = statistics.fmean(logs), len(logs) - 1
    half = t_975(freedom) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def t_975(freedom: int) -> float:
    """Return Student's 0.975 quantile; the expansion is off by less than 0.1 % from 5 degrees on."""
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


def table(template: str, seconds: Mapping[str, list[float]]) -> str:
    """Return the Markdown table."""
    ratios = [guard / direct for guard, direct in zip(seconds["guard"], seconds["direct"], strict=True)]
    mean, low, high = interval(ratios)
    rows = [
        f"| whole session of `{template}`, {len(ratios)} pairs | median | least | most |",
        "|---|---|---|---|",
    ]
    for name, values in (
        ("directly, s", seconds["direct"]),
        ("through the guard, s", seconds["guard"]),
        ("ratio, pair by pair", ratios),
    ):
        rows.append(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")
    verdict = "within" if high <= 1.05 else "not within"
    sentence = f"Ratio {mean:.3f}, 95 % interval {low:.3f} to {high:.3f} (geometric mean of the pairs)"
    return "\n".join([*rows, "", f"{sentence}: {verdict} 1.05 times."])


async def main() -> None:
    """Run the pairs and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", default="small")
    parser.add_argument("--pairs", type=int, default=30, help="at least 6")
    wanted = parser.parse_args()
    if wanted.pairs < 6:
        parser.error("an interval needs 6 pairs or more")
    seconds: dict[str, list[float]] = {"guard": [], "direct": []}
    async with AsyncExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="db-")))
        guarding = Installation(ROOT, state / "guarding")
        guarding.prepare()
        environ = os.environ | {
            "ORCHESTRATOR_ALLOWLIST": str(Installation.here().allowlist),
            "ORCHESTRATOR_SUBNET_POOL": POOLS["guard"],
        }
        _, guard = await exits.enter_async_context(running_guard(guarding, environ, _inherited()))
        hosts = {"guard": guard, "direct": os.environ.get("DOCKER_HOST") or DEFAULT_HOST}
        orchestrators = {
            name: await exits.enter_async_context(orchestrator(state, name, host))
            for name, host in hosts.items()
        }
        for pair in range(wanted.pairs + 1):
            # Each is first in every other pair: neither profits from the order.
            for name in sorted(hosts, reverse=pair % 2 == 0):
                took = await orchestrators[name].session(wanted.template)
                print(f"pair {pair or 'to warm up'}, {name}: {took:.2f} s", flush=True)
                if pair:
                    seconds[name].append(took)
    print(f"\n{table(wanted.template, seconds)}")


if __name__ == "__main__":
    asyncio.run(main())
