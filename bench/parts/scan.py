"""Ports and products that `quick` and `full` find where no template resembles it, beside plain nmap."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
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
of a library or of the wrong server does not. What stays without a name: NRPE, which hangs up on strangers;
distccd and TigerVNC, which do not say what they are. Servers that never say anything count among the ports
only. Plain nmap takes minutes a pass, for a few hosts as for all: it waits for servers that do not answer.
So `full` is compared on every sixth host and `quick` on the others, on both networks at the same time: four
containers of nmap, then four of the collector. What a profile finds on the hosts of the other is counted
without nmap. With `LONG=1` it is every third host, three times, each time another third."""
NMAP = {"quick": ("-sV",), "full": ("-p-", "-sV", "-T4")}
TITLES = {"odd-ports": "odd ports", "default-ports": "default ports"}
COLLECTOR, PLAIN = "collector", "plain nmap"

type Scans = dict[tuple[str, str], Scan]
"""Network and profile → what was found there."""
type Division = dict[tuple[str, str], list[Host]]
"""Network and profile → the hosts to scan by it."""
type Looks = list[tuple[list[Host], Scan]]
"""Scans of one network by one profile, each with the hosts that it looked at."""


async def measure(setting: Setting) -> PartResult:
    """Build the image, run both networks, scan them at the same time by everybody in turn."""
    setting.say("building the image of the servers; minutes at first, then a moment")
    await asyncio.to_thread(build_image)
    with ExitStack() as exits:
        networks = {}
        for name in TITLES:
            hosts = read_networks()[name]
            setting.say(f"{name}: starting {len(hosts)} hosts")
            networks[name] = await asyncio.to_thread(exits.enter_context, running_network(name, hosts))
        divisions = divided({name: each.hosts for name, each in networks.items()}, long=setting.long)
        compared: dict[str, list[tuple[Division, Scans]]] = {COLLECTOR: [], PLAIN: []}
        for number, division in enumerate(divisions, 1):
            said = setting.share(1, f"division {number} of {len(divisions)}")
            for who, scans in (await in_turn(_scanners(networks, division), 1, said)).items():
                compared[who] += [(division, each) for each in scans]
        setting.say("the collector alone, on what was not compared")
        others = rest(networks, divisions)
        found = await _scan(networks, others, _by_collector)
    result = PartResult(part="scan", title="Finding what is there", about=ABOUT)
    for key in divisions[0]:
        looks: dict[str, Looks] = {
            who: [(division[key], scans[key]) for division, scans in each] for who, each in compared.items()
        }
        result = with_comparison(result, key, looks, [(others[key], found[key])] if key in others else [])
    return result


def divided(networks: dict[str, tuple[Host, ...]], *, long: bool) -> list[Division]:
    """Return which hosts each profile is compared on: `full` on every so many, `quick` on the others."""
    of, divisions = (3, 3) if long else (6, 1)
    division: list[Division] = [{} for _ in range(divisions)]
    for network, hosts in networks.items():
        ordered = sorted(hosts, key=lambda host: host.name)
        for number, each in enumerate(division):
            each[network, "quick"] = [host for n, host in enumerate(ordered) if n % of != number]
            each[network, "full"] = ordered[number::of]
    return division


def rest(networks: dict[str, RunningNetwork], divisions: Iterable[Division]) -> Division:
    """Return the hosts that no comparison by a profile looks at."""
    seen: dict[tuple[str, str], set[str]] = {}
    for division in divisions:
        for key, hosts in division.items():
            seen.setdefault(key, set()).update(host.name for host in hosts)
    others = {
        key: [host for host in networks[key[0]].hosts if host.name not in names]
        for key, names in seen.items()
    }
    return {key: hosts for key, hosts in others.items() if hosts}


def _scanners(
    networks: dict[str, RunningNetwork], division: Division
) -> dict[str, Callable[[], Awaitable[Scans]]]:
    return {
        COLLECTOR: lambda: _scan(networks, division, _by_collector),
        PLAIN: lambda: _scan(networks, division, _by_nmap),
    }


async def _scan(
    networks: dict[str, RunningNetwork],
    division: Division,
    scan: Callable[[RunningNetwork, str, list[str]], Scan],
) -> Scans:
    """Scan everything of a division at once."""

    async def one(network: RunningNetwork, profile: str, hosts: list[Host]) -> Scan:
        names = {host.name for host in hosts}
        targets = [address for address, name in network.addresses.items() if name in names]
        return await asyncio.to_thread(scan, network, profile, targets)

    scans = [one(networks[network], profile, hosts) for (network, profile), hosts in division.items()]
    return dict(zip(division, await asyncio.gather(*scans), strict=True))


def _by_collector(network: RunningNetwork, profile: str, targets: list[str]) -> Scan:
    return by_collector(network, profile, *targets)


def _by_nmap(network: RunningNetwork, profile: str, targets: list[str]) -> Scan:
    return by_nmap(network, NMAP[profile], *targets)


def with_comparison(
    result: PartResult, key: tuple[str, str], looks: dict[str, Looks], others: Looks
) -> PartResult:
    """Add what both found of one network by one profile; `others`: what the collector alone looked at."""
    network, profile = key
    title, nmap, goal = TITLES[network], " ".join(("nmap", *NMAP[profile])), f"{profile}-{network}"
    ours, theirs = looks[COLLECTOR], looks[PLAIN]
    pairs = [(a.seconds, b.seconds) for (_, a), (_, b) in zip(ours, theirs, strict=True)]
    everywhere, there = judged([*ours, *others]), {profile: judged(ours), nmap: judged(theirs)}
    missed = {f"`{profile}`, of all hosts": everywhere, f"`{nmap}`, of those compared": there[nmap]}
    return result.model_copy(
        update={
            "measured": [
                *result.measured,
                Measured(name=f"{title}: `{profile}`", values=[each for each, _ in pairs]),
                Measured(name=f"{title}: `{nmap}`", values=[each for _, each in pairs]),
            ],
            "ratios": [
                *result.ratios,
                Ratio(name=f"{title}: `{profile}` to `{nmap}`", pairs=pairs, goal=goal),
            ],
            "shares": [
                *result.shares,
                *_shares(f"{title}, all hosts", profile, everywhere, goal),
                *(share for by, each in there.items() for share in _shares(f"{title}, compared", by, each)),
            ],
            "tables": [*result.tables, _missed(f"{title}, `{profile}`", missed)],
        }
    )


def judged(looks: Looks) -> Score:
    """Judge each host by the first scan that looked at it."""
    hosts: dict[str, Host] = {}
    found: Found = {}
    for looked_at, scan in looks:
        fresh = {host.name: host for host in looked_at if host.name not in hosts}
        found |= {place: product for place, product in scan.found.items() if place[0] in fresh}
        hosts |= fresh
    return score(hosts.values(), found)


def _shares(title: str, by: str, of: Score, goal: str | None = None) -> tuple[Share, Share]:
    ports, products = (None, None) if goal is None else (f"{goal}-ports", f"{goal}-products")
    return (
        Share(name=f"{title}: ports", by=by, found=of.ports, of=of.all_ports, goal=ports),
        Share(name=f"{title}: products", by=by, found=of.products, of=of.all_products, goal=products),
    )


def _missed(title: str, by: dict[str, Score]) -> Table:
    rows = [[name, str(each.false_ports), "; ".join(each.missed) or "nothing"] for name, each in by.items()]
    return Table(title=f"Missed: {title}", columns=["by", "false ports", "missed"], rows=rows)
