"""From the click to the decision page, cleanup included; and how fast plain nmap scans the same targets."""

import asyncio
import time

from bench.network.running import RunningNetwork
from bench.network.scans import by_collector, by_nmap
from bench.results import Breakdown, Measured, PartResult, Ratio
from bench.system import Sessions, first, last, reached, running_sessions
from bench.turns import Setting, in_turn
from dryrun_contract.event import Event
from dryrun_contract.session import Phase

ABOUT = """\
A session of the template, with the template's collectors: from the request until everything is removed and
its report is there as a page. Then the targets of one session are kept, and the collector `network`
(profile `quick`) and plain `nmap -n -sV` scan them in turn, each in a container with a collector's limits:
half a processor, 512 MiB, `NET_RAW`; those of `large` by `make bench LONG=1` only, as plain nmap takes
minutes for them."""


async def measure(setting: Setting) -> PartResult:
    """Run sessions of `small` and `large` to their page, and scan the targets of each."""
    measured, ratios, breakdowns = [], [], []
    async with running_sessions() as sessions:
        for template, rounds, scans in (
            ("small", setting.rounds(3, long=10), setting.rounds(3, long=5)),
            # Plain nmap takes minutes for these targets.
            ("large", setting.rounds(3, long=5), setting.rounds(0, long=1)),
        ):
            took, events = [], list[Event]()
            for number in range(1, rounds + 1):
                setting.say(f"{template}: decision page {number} of {rounds}")
                seconds, events = await _decide(sessions, template)
                took.append(seconds)
            name = f"{template}, click to decision page: a session"
            measured.append(Measured(name=name, values=took, goal=f"decision-{template}"))
            breakdowns.append(
                Breakdown(name=f"`{template}` to its decision page", pieces=_pieces(events, took[-1]))
            )
            if scans == 0:
                continue
            ours, theirs = await _scans(sessions, template, scans, setting)
            measured.append(Measured(name=f"{template}, scan: quick", values=ours))
            measured.append(Measured(name=f"{template}, scan: plain nmap -sV", values=theirs))
            pairs = list(zip(ours, theirs, strict=True))
            ratio = f"{template}: `quick` to plain `nmap -sV`"
            ratios.append(Ratio(name=ratio, pairs=pairs, goal=f"quick-{template}"))
    return PartResult(
        part="decision",
        title="From the click to the decision",
        about=ABOUT,
        measured=measured,
        ratios=ratios,
        breakdowns=breakdowns,
    )


async def _decide(sessions: Sessions, template: str) -> tuple[float, list[Event]]:
    begin = time.monotonic()
    session_id = await sessions.start(template)
    events = await sessions.until(session_id, Phase.ENDED)
    await sessions.client.written_report(session_id, "html")
    return time.monotonic() - begin, events


def _pieces(events: list[Event], seconds: float) -> list[tuple[str, float]]:
    begin = events[0].at.timestamp()
    scanning, ended = reached(events, Phase.SCANNING), reached(events, Phase.ENDED)
    scanned = last(events, lambda event: event.data.type == "collector_ended")
    cleaning = reached(events, Phase.CLEANING_UP)
    network = first(events, lambda event: event.data.type == "collector_ended")
    if None in {scanning, ended, scanned, cleaning, network}:
        return [("session", seconds)]
    assert scanning and ended and scanned and cleaning and network  # noqa: PT018 - narrows types
    return [
        ("until healthy", scanning - begin),
        ("first collector", network - scanning),
        ("other collectors", scanned - network),
        ("reading logs", cleaning - scanned),
        ("removal", ended - cleaning),
        ("report", max(0.0, seconds - (ended - begin))),
    ]


async def _scans(
    sessions: Sessions, template: str, rounds: int, setting: Setting
) -> tuple[list[float], list[float]]:
    session_id = await sessions.start(template, keep=True)
    try:
        events = await sessions.until(session_id, Phase.KEPT)
        network = _network(events)

        async def quick() -> float:
            return (await asyncio.to_thread(by_collector, network, "quick")).seconds

        async def nmap() -> float:
            return (await asyncio.to_thread(by_nmap, network, ("-sV",))).seconds

        took = await in_turn({"quick": quick, "nmap": nmap}, rounds, setting.share(0.2, f"{template}, scans"))
        return took["quick"], took["nmap"]
    finally:
        await sessions.end(session_id)


def _network(events: list[Event]) -> RunningNetwork:
    (created,) = (event.data for event in events if event.data.type == "network_created")
    (mapped,) = (event.data for event in events if event.data.type == "addresses_mapped")
    return RunningNetwork(
        name=created.name,
        network=created.name,
        subnet=created.subnet,
        addresses=mapped.addresses,
        hosts=(),
        labels={},
    )
