"""Tells from inside a new network whether the host can be reached there; fails closed.

Silence alone proves nothing: an interface that has just come up answers nothing for a while. So the probe
waits for a word of the bridge itself, a multicast report that the host rule has signed: that shows that the
rule stands on this bridge and that we hear it. From then on a host without the rule's input line would
answer our queries at once, and its silence counts.

Output: a progress line, a verdict line, an end line, as JSON. Exit code: 0 isolated, 1 reached,
2 inconclusive. It has to be alone in its network.
"""

import ipaddress
import json
import os
import socket
import sys
import time
from collections.abc import Iterator

from frames import Heard, arp_probe, meaning, questions

VARIABLE = "DISCOVERY_CONFIG"
FIRST_WORD_SECONDS = 4.0
"""The bridge's first report comes within a second of its first container, and is repeated a second later."""
SILENCE_SECONDS = 0.3
"""An answer takes a few milliseconds; a busy machine gets a hundred times as long."""
ASK_SECONDS = 0.05
MAX_FRAME_BYTES = 2048
MAX_FRAMES_A_ROUND = 1000
PACKET_OUTGOING = 4
ETH_P_ALL = 3
ISOLATED, REACHED, INCONCLUSIVE = 0, 1, 2


class Probe:
    """One run: what was heard so far, and from whom."""

    def __init__(self, cidr: ipaddress.IPv4Network) -> None:
        interfaces = [name for _, name in socket.if_nameindex() if name != "lo"]
        if len(interfaces) != 1:
            raise OSError(f"there should be one network interface, there are {interfaces}")
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((interfaces[0], 0))
        self._mac: bytes = self._socket.getsockname()[4]
        # The bridge's usual gateway, and Docker's own bridge.
        self._likely_addresses = [next(cidr.hosts()).packed, socket.inet_aton("172.17.0.1")]
        self._speakers: set[bytes] = set()
        self.evidence: list[str] = []
        self._announced = False

    def run(self) -> tuple[bool | None, str]:
        """Return whether the network is isolated (None: not known) and why."""
        started = now = time.monotonic()
        deadline = started + FIRST_WORD_SECONDS
        signed = False
        # The round that begins last ends after the deadline, so what came before it is read.
        while now < deadline:
            self._ask()
            for heard in self._listen(now + ASK_SECONDS):
                self._note(f"{heard.what} after {time.monotonic() - started:.3f} s")
                if heard.role == "answer":
                    return False, f"the host answers: {heard.what}"
                self._announced = True
                if heard.role == "signed" and not signed:
                    signed = True
                    deadline = time.monotonic() + SILENCE_SECONDS
            now = time.monotonic()
        if signed:
            return True, "the bridge carries the host rule, and the host answers nothing"
        if self._announced:
            return None, (
                "no report of the bridge carries the host rule's signature: the rule is missing or "
                "incomplete, or multicast snooping and IPv6 are both off on the bridge"
            )
        return None, (
            f"nothing was heard of the host for {FIRST_WORD_SECONDS:.0f} s, so its silence proves nothing: "
            "multicast snooping and IPv6 are both off on the bridge, or the rule is out of date"
        )

    def _ask(self) -> None:
        for address in self._likely_addresses:
            self._socket.send(arp_probe(self._mac, address))
        for speaker in self._speakers:
            for question in questions(self._mac, speaker):
                self._socket.send(question)

    def _listen(self, until: float) -> Iterator[Heard]:
        """Hear what matters until then, and at least all that has come already."""
        for _ in range(MAX_FRAMES_A_ROUND):
            # A socket with the timeout 0 does not wait, but hands out what it has.
            self._socket.settimeout(max(0.0, until - time.monotonic()))
            try:
                frame, origin = self._socket.recvfrom(MAX_FRAME_BYTES)
            except (TimeoutError, BlockingIOError):
                return
            if origin[2] == PACKET_OUTGOING or frame[6:12] == self._mac:
                continue
            heard = meaning(frame, self._mac)
            if heard is not None:
                if heard.role != "answer":
                    self._speakers.add(frame[6:12])
                yield heard
        raise OSError(
            f"more than {MAX_FRAMES_A_ROUND} frames in {ASK_SECONDS} s; it has to be alone in its network"
        )

    def _note(self, text: str) -> None:
        if len(self.evidence) < 20:
            self.evidence.append(text)


def say(**line: object) -> None:
    """Write one line of the collectors' protocol."""
    print(json.dumps(line), flush=True)


def judge() -> tuple[bool | None, str, list[str]]:
    """Run the probe; whatever goes wrong is no verdict of isolation."""
    try:
        config = json.loads(os.environ[VARIABLE])
        if config["version"] != 1:
            return None, f"{VARIABLE} has version {config['version']}; this probe knows version 1", []
        probe = Probe(ipaddress.IPv4Network(config["cidr"]))
    except PermissionError:
        return None, "the probe may not open a packet socket; it needs root with the capability NET_RAW", []
    except KeyError as error:
        return None, f"{error} is missing in the configuration ({VARIABLE})", []
    except (ValueError, TypeError, OSError) as error:
        return None, f"the probe cannot start: {error}", []
    try:
        isolated, reason = probe.run()
    except OSError as error:
        return None, f"the probe broke off: {error}", probe.evidence
    return isolated, reason, probe.evidence


def main() -> int:
    """Print what the probe found and return the exit code."""
    say(type="progress", done=0, total=1, message="asking whether the host answers")
    isolated, reason, evidence = judge()
    say(type="verdict", isolated=isolated, reason=reason, evidence=evidence)
    say(type="end", discoveries=0)
    return {True: ISOLATED, False: REACHED, None: INCONCLUSIVE}[isolated]


if __name__ == "__main__":
    sys.exit(main())
