"""Ports and products that `quick` and `full` find where no template resembles it, beside plain nmap."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from bench.network.hosts import read_networks
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
ports only. Both networks are scanned at the same time, by the same scanner. `full` is compared on every
third host, as one pass of plain nmap takes minutes; `make bench LONG=1` compares it on all, in three
slices."""
NMAP = {"quick": ("-sV",), "full": ("-p-", "-sV", "-T4")}
TITLES = {"odd-ports": "odd ports", "default-ports": "default ports"}
_SLICES = 3


async def measure(setting: Setting) -> PartResult:
    """Build the image, run both networks, scan them at the same time by everybody in turn."""
    setting.say("building the image of the servers; minutes at first, then a moment")
    await asyncio.to_thread(build_image)
    result = PartResult(part="scan", title="Finding what is there", about=ABOUT)
    with ExitStack() as exits:
        networks = []
        for name in TITLES:
            hosts = read_networks()[name]
            setting.say(f"{name}: starting {len(hosts)} hosts")
            running = await asyncio.to_thread(exits.enter_context, running_network(name, hosts))
            networks.append(running)
        for profile in NMAP:
            scans = await _compare(networks, profile, setting)
            for network in networks:
                found = {who: [each[network.name] for each in rounds] for who, rounds in scans.items()}
                result = _with(result, network, profile, found)
    return result


async def _compare(
    networks: list[RunningNetwork], profile: str, setting: Setting
) -> dict[str, list[dict[str, Scan]]]:
    """Return what both found, in pairs: rounds of the whole networks, or slices of them."""
    if profile == "quick":
        contestants = _pair(networks, profile, {network.name: [] for network in networks})
        return await in_turn(contestants, setting.rounds(3, long=5), setting.share(0.4, profile))
    scans: dict[str, list[dict[str, Scan]]] = {}
    slices = range(setting.amount(1, long=_SLICES))
    for number in slices:
        targets = {network.name: _slice(network, number) for network in networks}
        said = setting.share(0.5, f"{profile}, slice {number + 1} of {len(slices)}")
        pair = await in_turn(_pair(networks, profile, targets), 1, said)
        for who, found in pair.items():
            scans.setdefault(who, []).extend(found)
    return scans


def _pair(
    networks: list[RunningNetwork], profile: str, targets: dict[str, list[str]]
) -> dict[str, Callable[[], Awaitable[dict[str, Scan]]]]:
    def both(scan: Callable[[RunningNetwork], Scan]) -> Callable[[], Awaitable[dict[str, Scan]]]:
        async def scanned() -> dict[str, Scan]:
            found = await asyncio.gather(*(asyncio.to_thread(scan, network) for network in networks))
            return {network.name: each for network, each in zip(networks, found, strict=True)}

        return scanned

    return {
        profile: both(lambda network: by_collector(network, profile, *targets[network.name])),
        " ".join(("nmap", *NMAP[profile])): both(
            lambda network: by_nmap(network, NMAP[profile], *targets[network.name])
        ),
    }


def _slice(network: RunningNetwork, number: int) -> list[str]:
    """Return the addresses of every third host."""
    addresses = sorted(network.addresses, key=network.addresses.__getitem__)
    return addresses[number::_SLICES]


def _with(
    result: PartResult, network: RunningNetwork, profile: str, scans: dict[str, list[Scan]]
) -> PartResult:
    (ours, theirs), title = scans, TITLES[network.name]
    judged = {name: _judged(network, profile, found) for name, found in scans.items()}
    pairs = [(a.seconds, b.seconds) for a, b in zip(scans[ours], scans[theirs], strict=True)]
    goal = f"{profile}-{network.name}"
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


def _judged(network: RunningNetwork, profile: str, scans: list[Scan]) -> Score:
    """Judge the scan that is neither the best nor the worst; or all slices together."""
    if profile == "quick":
        judged = sorted((score(network.hosts, scan.found) for scan in scans), key=_worth)
        return judged[len(judged) // 2]
    scanned = {network.addresses[each] for number in range(len(scans)) for each in _slice(network, number)}
    found: Found = {}
    for scan in scans:
        found |= scan.found
    return score([host for host in network.hosts if host.name in scanned], found)


def _worth(judged: Score) -> tuple[int, int]:
    return judged.products, judged.ports


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
