"""Every collector against real servers: finds what is there, reports no canary, spares excluded hosts."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from collector_container import Found, Line, by_service, collect, discoveries, matches
from target_container import REPOSITORY, TargetContainer, allowed, internal_network, running

from discovery_collectors.installed import installed_collectors

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0, reason="listens in the network namespace of a container"),
]

TARGETS = {
    "desk": "discovery/test-webapp:express",
    "portal": "discovery/test-tls-web:2.4",
    "people": "discovery/test-ldap:2.6",
    "files": "discovery/test-smb:4.22",
    "names": "discovery/test-dns:9.20",
    "router": "discovery/test-snmp:5.9",
    "stock": "discovery/test-mariadb:11.8",
    "orders": "discovery/test-rabbitmq:4.0",
    "sensors": "discovery/test-mqtt:2.0",
    "clock": "discovery/test-ntp:4.6",
    "boot": "discovery/test-tftp:5.2",
}
EXCLUDED = "discovery/test-nginx:1.26"
COLLECTORS = sorted(installed_collectors(), key=lambda name: bool(installed_collectors()[name].needs))
"""Those that need nothing come first."""
LOGINS = [
    {"engine": "mysql", "username": "inventory_reader", "password": "ebb-chart-3307"},
    {"engine": "snmp", "password": "public"},
]
SERVICES_THERE = {
    80: "http",
    389: "ldap",
    445: "microsoft-ds",
    53: "domain",
    3306: "mysql",
    5432: "postgresql",
}
"""What collectors are given about the excluded host, so that they would go there."""


def image_of(collector: str) -> str:
    return f"discovery/test-collector-{collector}:1.0"


class Ears:
    """Hears the frames that come to one container's own address."""

    def __init__(self, target: TargetContainer, network: str) -> None:
        inspected = target.inspect()
        place = inspected["NetworkSettings"]["Networks"][network]
        self.address = place["IPAddress"]
        self._mac = bytes.fromhex(place["MacAddress"].replace(":", ""))
        self._socket = self._open(inspected["State"]["Pid"])
        self.heard: list[bytes] = []
        threading.Thread(target=self._listen, daemon=True).start()

    @staticmethod
    def _open(pid: int) -> socket.socket:
        with Path("/proc/self/ns/net").open() as home, Path(f"/proc/{pid}/ns/net").open() as there:
            os.setns(there.fileno(), os.CLONE_NEWNET)
            try:
                return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
            finally:
                os.setns(home.fileno(), os.CLONE_NEWNET)

    def _listen(self) -> None:
        while True:
            try:
                frame, origin = self._socket.recvfrom(256)
            except OSError:
                return
            if origin[0] == "lo" or origin[2] == socket.PACKET_OUTGOING:
                continue
            is_ip = frame[12:14] == b"\x08\x00"
            to_address = is_ip and frame[30:34] == socket.inet_aton(self.address)
            if frame[:6] == self._mac or to_address:
                self.heard.append(frame)

    def close(self) -> None:
        self._socket.close()


@dataclass
class Everything:
    """One run of every collector."""

    network: str
    targets: Mapping[str, TargetContainer]
    excluded: Ears
    control: Ears
    lines: dict[str, list[Line]]
    wrote: str

    @property
    def found(self) -> Found:
        reported = [line for lines in self.lines.values() for line in lines[:-1]]
        reported.append({"type": "end", "discoveries": sum(line["type"] == "discovery" for line in reported)})
        return by_service(discoveries(reported), self.targets, self.network)


@pytest.fixture(scope="module")
def everything() -> Iterator[Everything]:
    with ExitStack() as stack:
        network = stack.enter_context(internal_network())
        targets = {name: stack.enter_context(running(image, network)) for name, image in TARGETS.items()}
        shut = stack.enter_context(running(EXCLUDED, network))
        for target in (*targets.values(), shut):
            target.wait_until_healthy(90)
        excluded, control = Ears(shut, network), Ears(targets["desk"], network)
        stack.callback(excluded.close)
        stack.callback(control.close)
        known: list[dict[str, Any]] = [
            {
                "kind": "service",
                "key": f"{excluded.address}:{port}/tcp",
                "data": {"name": name, "method": "probed"},
                "confidence": 0.9,
            }
            for port, name in SERVICES_THERE.items()
        ]
        known += [
            {**known[0], "key": f"{excluded.address}:{port}/udp", "data": {"name": name, "method": "probed"}}
            for port, name in {53: "domain", 161: "snmp"}.items()
        ]
        lines: dict[str, list[Line]] = {}
        wrote = ""
        for collector in COLLECTORS:
            reported, said = collect(
                image_of(collector),
                network,
                exclude=[excluded.address],
                credentials=LOGINS,
                discoveries=known if collector != "network" else [],
            )
            lines[collector] = reported
            wrote += said
            if collector == "network":
                known += [
                    {key: line[key] for key in ("kind", "key", "data", "confidence")}
                    for line in reported
                    if line.get("kind") in {"service", "certificate"}
                ]
        yield Everything(network, targets, excluded, control, lines, wrote)


def facts() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, image in TARGETS.items():
        row = allowed(image)
        for fact in row["ground_truth"]:
            if "hard" not in fact:
                data = {
                    key: row["facts"][value["fact"]] if isinstance(value, dict) else value
                    for key, value in fact.get("data", {}).items()
                }
                yield fact["kind"], name + fact["key"], data


def test_together_they_find_every_fact_of_their_targets(everything: Everything) -> None:
    found = everything.found
    expected = list(facts())
    assert len(expected) > 40
    assert {kind for kind, _, _ in expected} >= {
        "web_app",
        "directory",
        "share",
        "dns_zone",
        "snmp_system",
        "certificate",
        "table",
    }
    for kind, key, data in expected:
        assert (kind, key) in found, (kind, key)
        for attribute, value in data.items():
            reported = found[kind, key].get(attribute)
            same = matches(value, reported) or str(value) == str(reported)
            assert same, (kind, key, attribute, value, reported)


def test_they_report_no_false_positive(everything: Everything) -> None:
    true = {(kind, key) for kind, key, _ in facts()}
    assert set(everything.found) <= true


def test_no_canary_leaves(everything: Everything) -> None:
    sown = (REPOSITORY / "images" / "canaries.txt").read_text(encoding="utf-8").splitlines()
    of_targets = {image.split("/test-")[1].split(":")[0] for image in TARGETS.values()}
    values = {
        value
        for folder, _, value in (line.partition(" ") for line in sown if not line.startswith("#"))
        if folder in of_targets
    }
    assert len(values) > 10
    assert [value for value in values if value in everything.wrote] == []


def test_an_excluded_host_receives_no_packet_and_is_not_reported(everything: Everything) -> None:
    assert len(everything.control.heard) > 1000
    assert everything.excluded.heard == []
    assert all(everything.excluded.address not in str(key) for key in everything.found)
    refused = [
        line["message"]
        for collector in COLLECTORS[1:]
        for line in everything.lines[collector]
        if line["type"] == "warning" and f"{everything.excluded.address} is excluded" in line["message"]
    ]
    assert len(refused) >= len(COLLECTORS) - 1


def test_the_manifests_name_these_collectors() -> None:
    folder = REPOSITORY / "collectors" / "manifests"
    manifests = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yml")]
    ours = {each["name"] for each in manifests if each.get("purpose") != "comparison"}
    assert ours == set(COLLECTORS)
    assert {each["image"] for each in manifests if each["name"] in ours} == set(map(image_of, COLLECTORS))
