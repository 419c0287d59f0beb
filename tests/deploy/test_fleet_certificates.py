"""What deploy/fleet/certificates refuses: what would leave a host with another's certificate or policy."""

import json
import subprocess
from pathlib import Path

import pytest
from deployment import DEPLOY


def certificates(
    folder: Path, *hosts: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DEPLOY / "fleet" / "certificates", *options, folder, *hosts],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("script", ["certificates", "peers"])
@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["-h"], 0), ([], 2)])
def test_says_how_it_is_called(script: str, arguments: list[str], status: int) -> None:
    command = [DEPLOY / "fleet" / script, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == status
    assert (done.stderr if status else done.stdout).startswith(f"usage: deploy/fleet/{script} ")


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        (("a=10.0.0.1", "a=10.0.0.2"), "'a' is not a name for this host: it is taken"),
        (("orchestrator=10.0.0.1",), "'orchestrator' is not a name for this host"),
        (("a=10.0.0.1", "b"), "'b' is not HOST=ADDRESS"),
    ],
)
def test_a_host_needs_a_name_of_its_own(tmp_path: Path, hosts: tuple[str, ...], says: str) -> None:
    done = certificates(tmp_path / "fleet", *hosts)
    assert (done.returncode, says in done.stderr) == (1, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_first_hosts_are_managers_whom_workers_ask(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    hosts = ("a=10.0.0.1", "b=fd00::2", "c=10.0.0.3", "d=10.0.0.4")
    assert certificates(fleet, *hosts, options=("--managers", "3")).returncode == 0
    policies = {host.name: json.loads((host / "policy.json").read_text()) for host in fleet.glob("?")}
    narrow = {"seccomp": "narrow"}
    assert policies == dict.fromkeys("abc", {"makes_overlays": True} | narrow) | {"d": narrow}
    assert {host.name for host in fleet.glob("?") if (host / "manager").exists()} == {"d"}
    asked = "FLEET_MANAGERS=tcp://10.0.0.1:2376,tcp://[fd00::2]:2376,tcp://10.0.0.3:2376\n"
    assert asked in (fleet / "d" / "compose.env").read_text()
    assert "FLEET_MANAGERS" not in (fleet / "c" / "compose.env").read_text()


@pytest.mark.parametrize(
    ("managers", "says"), [("5", "--managers 5, and only 2 hosts"), ("0", "a number from 1 to 7")]
)
def test_managers_are_hosts(tmp_path: Path, managers: str, says: str) -> None:
    done = certificates(tmp_path / "fleet", "a=10.0.0.1", "b=10.0.0.2", options=("--managers", managers))
    assert (done.returncode, says in done.stderr) == (1, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_is_kept_has_to_be_that_of_the_hosts_role(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    assert certificates(fleet, "a=10.0.0.1", "b=10.0.0.2").returncode == 0
    (fleet / "b" / "policy.json").chmod(0o644)
    (fleet / "b" / "policy.json").write_text('{"sessions": 9}\n')
    before = (fleet / "a" / "cert.pem").read_bytes()
    done = certificates(fleet, "b=10.0.0.2", "a=10.0.0.1")
    assert (done.returncode, "is not that of a manager" in done.stderr) == (1, True), done.stderr
    assert (fleet / "a" / "cert.pem").read_bytes() == before
    assert certificates(fleet, "a=10.0.0.1", "b=10.0.0.2").returncode == 0
    assert (fleet / "b" / "policy.json").read_text() == '{"sessions": 9}\n'
    assert (fleet / "a" / "cert.pem").read_bytes() != before
