"""Runs the bench's networks alone: `python -m bench.network odd-ports --scans quick nmap`, or `--hold`."""

import argparse
import threading

from bench.ending import end_when_told
from bench.network.hosts import read_networks
from bench.network.running import RunningNetwork, build_image, running_network
from bench.network.scans import Scan, by_collector, by_nmap, score

NMAP = {"nmap": ("-sV",), "nmap-full": ("-p-", "-sV", "-T4")}
PROFILES = ("quick", "full")


def main() -> None:
    """Start the networks one after another, scan each, print what was found and what was missed."""
    networks = read_networks()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=sorted(networks), help=", ".join(sorted(networks)))
    parser.add_argument("--scans", nargs="*", default=[], choices=[*PROFILES, *NMAP])
    parser.add_argument("--hold", action="store_true", help="keep the first network until Ctrl-C")
    wanted = parser.parse_args()
    end_when_told()
    build_image()
    for name in wanted.networks:
        with running_network(name, networks[name]) as network:
            services = sum(len(host.services) for host in network.hosts)
            print(f"{name}: {len(network.hosts)} hosts, {services} ports, as the table says", flush=True)
            for which in wanted.scans:
                _print(which, _scan(which, network), network)
            if wanted.hold:
                _hold(network)


def _scan(which: str, network: RunningNetwork) -> Scan:
    return by_collector(network, which) if which in PROFILES else by_nmap(network, NMAP[which])


def _print(which: str, scan: Scan, network: RunningNetwork) -> None:
    judged = score(network.hosts, scan.found)
    print(
        f"{which}: {scan.seconds:.1f} s, {judged.ports} of {judged.all_ports} ports, "
        f"{judged.products} of {judged.all_products} products, {judged.false_ports} false ports"
    )
    print("\n".join(f"  missed {each}" for each in judged.missed), flush=True)


def _hold(network: RunningNetwork) -> None:
    print(f"network {network.network}, subnet {network.subnet}; Ctrl-C removes it", flush=True)
    for address, host in network.addresses.items():
        print(f"  {address}  {host}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("removing it")


if __name__ == "__main__":
    main()
