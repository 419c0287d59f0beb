"""A host, two sessions and another network, as network namespaces that a test may take apart."""

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from built_probe import probe_program

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy/host-rule/dryrun-host-rule"
RULE = ROOT / "deploy/host-rule/rule.nft"
BRIDGE, OTHER_BRIDGE = "dr-00000000000a", "dr-00000000000b"
PROBE_ADDRESS, PEER, OTHER_SESSION = "10.213.200.30", "10.213.200.3", "10.213.200.35"
HOST, OUTSIDE = "10.213.201.1", "10.213.201.5"


def run(*command: str, **options) -> str:
    return subprocess.run(command, check=True, text=True, capture_output=True, timeout=30, **options).stdout


class Lab:
    """Namespaces: host, a (the probe), peer (same session), b (another session), out (another network)."""

    def __init__(self) -> None:
        self.prefix = f"dryrun-{os.getpid()}-"
        self.port_settings: tuple[str, ...] = ()
        """Of each port of a bridge, as `ip link` takes them."""

    def inside(self, name: str, *command: str) -> str:
        return run("ip", "netns", "exec", self.prefix + name, *command)

    def build(self, *, bridged_filtering: int = 0, settings: tuple[str, ...] = ()) -> None:
        for name in ("host", "a", "peer", "b", "out"):
            run("ip", "netns", "add", self.prefix + name)
            self.inside(name, "ip", "link", "set", "lo", "up")
        self.inside(
            "host",
            "sysctl",
            "-qw",
            "net.ipv4.ip_forward=1",
            *(f"net.bridge.bridge-nf-call-{what}={bridged_filtering}" for what in ("iptables", "ip6tables")),
            *settings,
        )
        for bridge, mac in ((BRIDGE, "02:42:00:00:00:0a"), (OTHER_BRIDGE, "02:42:00:00:00:0b")):
            # With a MAC of its own, as Docker's bridges; else it would change with the ports.
            self.inside("host", "ip", "link", "add", bridge, "address", mac, "type", "bridge")
            self.inside("host", "ip", "link", "set", bridge, "up")
        self.plug("out", OUTSIDE, None)
        self.inside("host", "ip", "addr", "add", f"{HOST}/27", "dev", "veth-out")
        self.inside("host", "ip", "route", "add", "default", "via", OUTSIDE)

    def plug(self, name: str, address: str, bridge: str | None) -> None:
        """Give a namespace its interface eth0, without IPv6, as containers have it."""
        self.inside(
            "host",
            "ip",
            "link",
            "add",
            f"veth-{name}",
            "type",
            "veth",
            "peer",
            "eth0",
            "netns",
            self.prefix + name,
        )
        if bridge is not None:
            self.inside("host", "ip", "link", "set", f"veth-{name}", "master", bridge)
            if self.port_settings:
                port = ("set", f"veth-{name}", "type", "bridge_slave", *self.port_settings)
                self.inside("host", "ip", "link", *port)
        self.inside("host", "ip", "link", "set", f"veth-{name}", "up")
        self.inside(name, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
        self.inside(name, "ip", "addr", "add", f"{address}/27", "dev", "eth0")
        self.inside(name, "ip", "link", "set", "eth0", "up")

    def load_rule(self, text: str | None = None) -> None:
        """Install the rule in `host`, or a variant of its text."""
        if text is None:
            self.inside("host", str(SCRIPT), "apply")
        else:
            run("ip", "netns", "exec", self.prefix + "host", "nft", "-f", "-", input=text)

    def wait_for_link_local(self, bridge: str) -> None:
        """Wait until the bridge has checked its address, for 1 to 2 s, and answers by it."""
        end = time.monotonic() + 10
        show = ("ip", "-6", "-o", "addr", "show", "dev", bridge, "scope", "link")
        while "tentative" in (shown := self.inside("host", *show)) or not shown:
            if time.monotonic() > end:
                raise TimeoutError(f"{bridge} has no link-local address: {shown}")
            time.sleep(0.1)

    def socket(self, name: str, *kind: int) -> socket.socket:
        """Make a socket that lives in the namespace `name`."""
        with (
            Path("/proc/self/ns/net").open() as home,
            Path(f"/run/netns/{self.prefix}{name}").open() as there,
        ):
            os.setns(there.fileno(), os.CLONE_NEWNET)
            try:
                made = socket.socket(*kind)
                if kind[0] == socket.AF_PACKET:
                    made.bind(("eth0", 0))
                return made
            finally:
                os.setns(home.fileno(), os.CLONE_NEWNET)

    @contextmanager
    def repeated(self, frames: list[bytes]) -> Iterator[None]:
        """Send frames from `peer`, again and again until the block ends."""
        done = threading.Event()

        def send() -> None:
            with self.socket("peer", socket.AF_PACKET, socket.SOCK_RAW) as mouth:
                while not done.wait(0.02):
                    for frame in frames:
                        mouth.send(frame)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def probe(self) -> tuple[int, dict, float]:
        """Plug in the probe as the first of its network and return exit code, verdict and seconds."""
        # Its network is as new as a session's: without IPv6 a bridge speaks for two seconds after it came up.
        for state in ("down", "up"):
            self.inside("host", "ip", "link", "set", BRIDGE, state)
        self.plug("a", PROBE_ADDRESS, BRIDGE)
        config = json.dumps({"version": 1, "cidr": "10.213.200.0/27", "self": PROBE_ADDRESS})
        started = time.monotonic()
        done = subprocess.run(
            ["ip", "netns", "exec", self.prefix + "a", str(probe_program())],
            env={"PATH": os.environ["PATH"], "DISCOVERY_CONFIG": config},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["type"] for line in lines] == ["progress", "verdict", "end"], done.stderr
        return done.returncode, lines[1], time.monotonic() - started

    def sure_probe(self) -> tuple[int, dict, float]:
        """Probe again, as the orchestrator does, when too little was heard: the machine may be busy."""
        for _ in range(3):
            exit_code, verdict, seconds = self.probe()
            if verdict["isolated"] is not None:
                break
            self.inside("host", "ip", "link", "del", "veth-a")
        return exit_code, verdict, seconds

    def remove(self) -> None:
        for name in ("host", "a", "peer", "b", "out"):
            subprocess.run(["ip", "netns", "del", self.prefix + name], check=False, capture_output=True)
