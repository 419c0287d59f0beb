"""From a scan of a network to a report about a session on its stand-ins, by the commands that people type."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hardening import (
    STAND_IN,
    kernel_status,
    label,
    require_bound_process,
    require_hardening,
    require_limits,
    require_no_storage,
    require_pinned_image,
)
from target_container import ALLOWLIST, REPOSITORY, docker

# On the machine's own engine: an engine of one's own cannot fetch what the shared root may lack.
pytestmark = [pytest.mark.engine, pytest.mark.machine, pytest.mark.long, pytest.mark.timeout(1500)]

HOSTS: Sequence[Sequence[tuple[int, str]]] = [
    [
        (8081, '<service name="http" product="nginx" version="1.18.0" method="probed" conf="10"/>'),
        (8834, '<service name="http" product="Apache httpd" tunnel="ssl" method="probed" conf="10"/>'),
        (2222, '<service name="ssh" product="OpenSSH" version="9.2p1" method="probed" conf="10"/>'),
    ],
    [
        (
            5433,
            '<service name="postgresql" product="PostgreSQL DB" version="15.4" method="probed" conf="10"/>',
        ),
        (6380, '<service name="redis" product="Redis key-value store" method="probed" conf="10"/>'),
    ],
    [(2525, '<service name="smtp" product="Exim smtpd" version="4.96" method="probed" conf="10"/>')],
    [
        (
            9080,
            '<service name="http" product="Microsoft IIS httpd" version="10.0" method="probed" conf="10"/>',
        ),
        (
            9290,
            '<service name="hp-gsg" product="HP JetDirect Generic Scan Gateway" method="probed" conf="10"/>',
        ),
        (7777, ""),
    ],
]


DEPOT = ((2222, "OpenSSH"), (6380, "Redis"))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "s"
    made.mkdir()
    shutil.copy(ALLOWLIST, made / "allowlist.json")
    yield made
    shutil.rmtree(made)


def run(state: Path, *arguments: str) -> str:
    done = subprocess.run(
        [REPOSITORY / ".venv" / "bin" / "dryrun-local", *arguments],
        env={**os.environ, "DRYRUN_LOCAL_STATE": str(state), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lines_of_a_session(state: Path, template: str, when_scanning: Callable[[str], None]) -> list[str]:
    """Run a session; `when_scanning` is called with its id when the first collector runs."""
    command = [REPOSITORY / ".venv" / "bin" / "dryrun-local", "demo", "--template", template, "--json"]
    lines: list[str] = []
    has_begun = False
    environ = {**os.environ, "DRYRUN_LOCAL_STATE": str(state)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            event = json.loads(line)
            if not has_begun and event.get("data", {}).get("type") == "collector_started":
                has_begun = True
                when_scanning(event["session_id"])
        assert process.wait(timeout=60) == 0
    return lines


def kill_a_redis(session_id: str, allowlist: Path) -> None:
    """Kill one after each target was found to be bound like any other, and to be of the image of its row."""
    rows = json.loads(allowlist.read_text())["images"]
    of_session = ("--filter", f"label=discovery.dryrun.session_id={session_id}")
    targets = docker("ps", "--quiet", *of_session, "--filter", "label=discovery.dryrun.role=target").split()
    for seen in json.loads(docker("inspect", *targets)):
        assert label(seen, "image").startswith(STAND_IN)
        # Containers may refer to their network by its id.
        (network,) = json.loads(docker("network", "inspect", seen["HostConfig"]["NetworkMode"]))
        seen["HostConfig"]["NetworkMode"] = network["Name"]
        pinned = rows[label(seen, "image")]["id"]
        (image,) = json.loads(docker("image", "inspect", pinned))
        require_pinned_image(seen, {"Image": pinned}, image)
        require_limits(seen, behind_a_guard=True)
        require_hardening(seen, behind_a_guard=True)
        require_no_storage(seen)
        require_bound_process(kernel_status(seen["State"]["Pid"]), seen)
    docker("exec", targets[0], "bash", "-c", KILL, check=False)


def scan(path: Path) -> Path:
    hosts = "".join(
        '<host><status state="up" reason="arp-response"/>'
        f'<address addr="192.168.7.{number}" addrtype="ipv4"/>'
        "<ports>"
        + "".join(
            f'<port protocol="tcp" portid="{port}"><state state="open" reason="syn-ack"/>{found}</port>'
            for port, found in services
        )
        + "</ports></host>"
        for number, services in enumerate(HOSTS, 10)
    )
    path.write_text(f'<?xml version="1.0"?><nmaprun scanner="nmap" version="7.95">{hosts}</nmaprun>')
    return path


def test_a_scan_becomes_a_template_on_which_discovery_is_rehearsed(tmp_path: Path, state: Path) -> None:
    file = scan(tmp_path / "scan.xml")
    shown = run(state, "network", "import", str(file), "--name", "acme")
    assert (
        "6 of 9 services stand on real software, 1 on a relative, 1 on a banner, 1 on an open port" in shown
    )
    assert "facts of 4 stand-ins are true" in shown
    (listed,) = json.loads(run(state, "network", "list", "--json"))
    assert (listed["name"], listed["hosts"], listed["real"]) == ("acme", 4, 6)
    assert "192.168.7" not in (state / "replicas" / "templates" / "acme.yml").read_text()

    again = run(state, "network", "import", str(file), "--name", "acme")
    assert "Stand-ins: 4 ready  none had changed" in again
    assert "facts of" not in again

    *_, last = run(state, "demo", "--template", "acme", "--json").splitlines()
    report = json.loads(last)["report"]
    rows = {row["name"]: row for row in report["scores"]["rows"]}
    assert (rows["host"]["true_positives"], rows["host"]["false_negatives"]) == (4, 0)
    # Ports that the quick profile does not scan are missed here as on the network itself.
    assert rows["service"]["true_positives"] >= 5
    assert rows["service"]["false_positives"] == 0
    assert rows["product"]["true_positives"] >= rows["service"]["true_positives"] - 1
    assert report["harmed"] == []

    written = tmp_path / "report.json"
    written.write_text(json.dumps(report))
    there = planned_again(state, written)
    assert there["coverage"]["levels"] == {**NONE, "same_version": 7, "banner": 2}
    run(state, "network", "remove", "acme")
    # Its images are no longer there: each product gets the stand-in that it had, which may hide its version.
    levels = planned_again(state, written)["coverage"]["levels"]
    real = levels["same_version"] + levels["same_product"]
    assert (real, levels["relative"], levels["banner"], levels["nothing"]) == (7, 0, 2, 0)
    assert json.loads(run(state, "network", "list", "--json")) == []
    images = json.loads((state / "allowlist.json").read_text())["images"]
    assert [name for name in images if "stand-in" in name] == []


NONE = {"same_version": 0, "same_product": 0, "relative": 0, "banner": 0, "nothing": 0}


def planned_again(state: Path, report: Path) -> dict[str, Any]:
    """The plan of a replica that its rehearsal's report describes; each open port is told from a banner."""
    plan = json.loads(run(state, "network", "import", str(report), "--name", "again", "--plan", "--json"))
    banners = [row["stands_on"] for row in plan["coverage"]["rows"] if row["level"] == "banner"]
    assert None in banners
    assert any(str(each).startswith("HP JetDirect Generic Scan Gateway") for each in banners)
    return dict(plan)


KILL = (
    'for each in /proc/[0-9]*; do [ "$(cat $each/comm)" = redis-server ] && kill -SEGV ${each#/proc/}; done'
)


def test_every_host_of_a_network_has_a_target_and_a_service_that_dies_is_harm_to_its_host(
    tmp_path: Path, state: Path
) -> None:
    file = tmp_path / "hosts.csv"
    rows = [f"10.0.0.{number},{port},{what}" for number in range(1, 23) for port, what in DEPOT]
    file.write_text("\n".join(["host,port,product", *rows]))
    run(state, "network", "import", str(file), "--name", "depot", "--all")
    (listed,) = json.loads(run(state, "network", "list", "--json"))
    assert (listed["targets"], listed["templates"]) == (22, ["depot-1", "depot-2"])

    *_, last = lines_of_a_session(
        state, "depot-2", when_scanning=lambda session: kill_a_redis(session, state / "allowlist.json")
    )
    report = json.loads(last)["report"]
    # On a busy machine a health check of another one may come late.
    (harm,) = (each for each in report["harmed"] if each["harm"] == "died")
    assert "the service 02-redis-6380 ended with exit code 139" in harm["detail"]
    run(state, "network", "remove", "depot")
