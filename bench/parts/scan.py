"""Ports and products that `quick` and `full` find where no template resembles it, beside plain nmap."""

import asyncio
from collections.abc import Awaitable, Callable

from bench.network.hosts import Host, read_networks
from bench.network.running import RunningNetwork, build_image, running_network
from bench.network.scans import Found, Scan, Score, by_collector, by_nmap, score
from bench.results import Measured, PartResult, Ratio, Share, Table
from bench.turns import Setting, in_turn

ABOUT = """\
Two networks of servers that no template uses, made from Debian's packages
([bench/network](../bench/network/README.md)): on `odd-ports` each host runs one server, off its usual
port; on `default-ports` each runs several, where they listen by default. What listens is verified from
inside each container before anything is scanned. All scanners run in containers with a collector's limits:
half a processor, 512 MiB, `NET_RAW`. A product counts when the name is the server's; the name of a port in
a table, of a library or of the wrong server does not. Servers that never say what they are count among the
ports only. All of a network is scanned for `quick`; for `full` it is scanned in slices of its hosts, each
a pair, as one pass takes nmap minutes."""
NMAP = {"quick": ("-sV",), "full": ("-p-", "-sV", "-T4")}
TITLES = {"odd-ports": "odd ports", "default-ports": "default ports"}
_SLICES = 3


async def measure(setting: Setting) -> PartResult:
    """Build the image, run one network after the other, scan it by everybody in turn."""
    setting.say("building the image of the servers; minutes at first, then a moment")
    await asyncio.to_thread(build_image)
    result = PartResult(part="scan", title="Finding what is there", about=ABOUT)
    for name, hosts in read_networks().items():
        setting.say(f"{name}: starting {len(hosts)} hosts")
        with running_network(name, hosts) as network:
            for profile in NMAP:
                scans = await _compare(network, profile, setting)
                result = _with(result, name, profile, hosts, scans)
    return result


async def _compare(network: RunningNetwork, profile: str, setting: Setting) -> dict[str, list[Scan]]:
    """Return the scans of both, in pairs: rounds of the whole network, or slices of it."""
    nmap = " ".join(("nmap", *NMAP[profile]))
    whole = profile == "quick"
    parts = [[]] if whole else _slices(sorted(network.addresses, key=network.addresses.__getitem__))
    rounds = setting.rounds(3 if whole else 1, long=5 if whole else 2)
    scans: dict[str, list[Scan]] = {profile: [], nmap: []}
    for number, targets in enumerate(parts, 1):
        part = "" if whole else f", slice {number} of {len(parts)}"

        def say(text: str, part: str = part) -> None:
            setting.say(f"{network.name}{part}, {text}")

        pair = await in_turn(_pair(network, profile, nmap, targets), rounds, say)
        for name, found in pair.items():
            scans[name] += found
    return scans


def _pair(
    network: RunningNetwork, profile: str, nmap: str, targets: list[str]
) -> dict[str, Callable[[], Awaitable[Scan]]]:
    return {
        profile: lambda: asyncio.to_thread(by_collector, network, profile, *targets),
        nmap: lambda: asyncio.to_thread(by_nmap, network, NMAP[profile], *targets),
    }


def _slices(addresses: list[str]) -> list[list[str]]:
    return [addresses[number::_SLICES] for number in range(_SLICES)]


def _with(
    result: PartResult, network: str, profile: str, hosts: tuple[Host, ...], scans: dict[str, list[Scan]]
) -> PartResult:
    (ours, theirs), title = scans, TITLES[network]
    judged = {name: _judged(hosts, profile, found) for name, found in scans.items()}
    pairs = [(a.seconds, b.seconds) for a, b in zip(scans[ours], scans[theirs], strict=True)]
    goal = f"{profile}-{network}"
    return result.model_copy(
        update={
            "measured": [
                *result.measured,
                *(
                    Measured(name=f"{title}: `{name}`", values=[scan.seconds for scan in found])
                    for name, found in scans.items()
                ),
            ],
            "ratios": [
                *result.ratios,
                Ratio(name=f"{title}: `{ours}` to `{theirs}`", pairs=pairs, goal=goal),
            ],
            "shares": [
                *result.shares,
                *_shares(title, ours, judged[ours], goal),
                *_shares(title, theirs, judged[theirs], None),
            ],
            "tables": [*result.tables, _missed(title, judged)],
        }
    )


def _judged(hosts: tuple[Host, ...], profile: str, scans: list[Scan]) -> Score:
    """Judge the scan that is neither the best nor the worst; or all slices together."""
    if profile == "full":
        found: Found = {}
        for scan in scans:
            found |= {place: product or found.get(place, "") for place, product in scan.found.items()}
        return score(hosts, found)
    judged = sorted(
        (score(hosts, scan.found) for scan in scans), key=lambda each: (each.products, each.ports)
    )
    return judged[len(judged) // 2]


def _shares(title: str, by: str, judged: Score, goal: str | None) -> tuple[Share, Share]:
    ports, products = (None, None) if goal is None else (f"{goal}-ports", f"{goal}-products")
    return (
        Share(name=f"{title}: ports", by=by, found=judged.ports, of=judged.all_ports, goal=ports),
        Share(name=f"{title}: products", by=by, found=judged.products, of=judged.all_products, goal=products),
    )


def _missed(title: str, judged: dict[str, Score]) -> Table:
    rows = [
        [f"`{name}`", str(each.false_ports), "; ".join(each.missed) or "nothing"]
        for name, each in judged.items()
    ]
    return Table(title=f"Missed: {title}", columns=["by", "false ports", "missed"], rows=rows)
