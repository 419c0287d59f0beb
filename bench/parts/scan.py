"""Ports and products that `quick` and `full` find where no template resembles it, beside plain nmap."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from bench.network.hosts import Host, read_networks
from bench.network.running import RunningNetwork, build_image, running_network
from bench.network.scans import Found, Scan, Score, by_collector, by_nmap, score
from bench.results import Measured, PartResult, Ratio, Share, Table
from bench.turns import Setting, in_turn

ABOUT = """\
Two networks of servers that no template uses, made from Debian's packages
([bench/network](../bench/network/README.md)): on `odd-ports` each host runs one server, off its usual port;
on `default-ports` each runs several, where they listen by default. What listens is verified from inside each
container before anything is scanned. All scanners run in containers with a collector's limits: half a
processor, 512 MiB, `NET_RAW`. A product counts when the name is the server's; the name of a port in a table,
of a library or of the wrong server does not. Nothing is written to port 9100, where a printer prints
whatever arrives: what else listens there stays without a name. Servers that never say what they are count
among the ports only. Both networks are scanned at the same time, by the same scanner. Plain nmap takes
minutes a pass, for a third of the hosts as for all: it waits for servers that do not answer. So each profile
is compared once, `full` on every sixth host, and what it finds on the others is counted without nmap. With
`LONG=1`, `quick` is compared five times, and `full` on all hosts, in three slices."""
type Slice = dict[str, list[Host]]
"""Hosts to scan, by network."""
NMAP = {"quick": ("-sV",), "full": ("-p-", "-sV", "-T4")}
TITLES = {"odd-ports": "odd ports", "default-ports": "default ports"}


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
            slices = _slices(networks, profile, setting)
            scans = await _compare(networks, profile, slices, setting)
            others = await asyncio.gather(*(_others(network, profile, slices) for network in networks))
            for network, more in zip(networks, others, strict=True):
                found = {who: [each[network.name] for each in rounds] for who, rounds in scans.items()}
                scanned = [host for each in slices for host in each[network.name]]
                judged = {
                    who: _judged(scanned, each, whole=profile == "quick") for who, each in found.items()
                }
                if more:
                    judged[profile] = _judged(list(network.hosts), [*found[profile], more], whole=False)
                result = _with(result, network.name, profile, found, judged)
    return result


async def _others(network: RunningNetwork, profile: str, slices: list[Slice]) -> Scan | None:
    """Let the collector alone scan what is in no slice."""
    rest = set(network.hosts).difference(*(each[network.name] for each in slices))
    if not rest:
        return None
    return await asyncio.to_thread(by_collector, network, profile, *_targets(network, list(rest)))


def _slices(networks: list[RunningNetwork], profile: str, setting: Setting) -> list[Slice]:
    """Return what to scan: all hosts at once, or slices of them one after another."""
    of, most = (1, 1) if profile == "quick" else (3, 3) if setting.long else (6, 1)
    hosts = {each.name: sorted(each.hosts, key=lambda host: host.name) for each in networks}
    return [{name: each[number::of] for name, each in hosts.items()} for number in range(most)]


async def _compare(
    networks: list[RunningNetwork], profile: str, slices: list[Slice], setting: Setting
) -> dict[str, list[dict[str, Scan]]]:
    """Return what both found, in pairs: rounds of one slice, or one of each."""
    scans: dict[str, list[dict[str, Scan]]] = {}
    rounds = setting.rounds(1, long=5 if profile == "quick" else 1)
    for number, hosts in enumerate(slices, 1):
        said = setting.share(0.45, f"{profile}, slice {number} of {len(slices)}")
        for who, found in (await in_turn(_pair(networks, profile, hosts), rounds, said)).items():
            scans.setdefault(who, []).extend(found)
    return scans


def _pair(
    networks: list[RunningNetwork], profile: str, hosts: Slice
) -> dict[str, Callable[[], Awaitable[dict[str, Scan]]]]:
    def both(scan: Callable[[RunningNetwork], Scan]) -> Callable[[], Awaitable[dict[str, Scan]]]:
        async def scanned() -> dict[str, Scan]:
            found = await asyncio.gather(*(asyncio.to_thread(scan, network) for network in networks))
            return {network.name: each for network, each in zip(networks, found, strict=True)}

        return scanned

    return {
        profile: both(
            lambda network: by_collector(network, profile, *_targets(network, hosts[network.name]))
        ),
        " ".join(("nmap", *NMAP[profile])): both(
            lambda network: by_nmap(network, NMAP[profile], *_targets(network, hosts[network.name]))
        ),
    }


def _targets(network: RunningNetwork, hosts: list[Host]) -> list[str]:
    """Return the addresses of a slice; none for a whole network, which its subnet names."""
    names = {host.name for host in hosts}
    return (
        []
        if len(names) == len(network.hosts)
        else [ip for ip, name in network.addresses.items() if name in names]
    )


def _with(
    result: PartResult,
    network: str,
    profile: str,
    scans: dict[str, list[Scan]],
    judged: dict[str, Score],
) -> PartResult:
    (ours, theirs), title = scans, TITLES[network]
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


def _judged(hosts: list[Host], scans: list[Scan], *, whole: bool) -> Score:
    """Judge all slices together; of scans of the whole the one that is neither the best nor the worst."""
    if whole:
        judged = sorted((score(hosts, scan.found) for scan in scans), key=_worth)
        return judged[len(judged) // 2]
    found: Found = {}
    for scan in scans:
        found |= scan.found
    return score(hosts, found)


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
