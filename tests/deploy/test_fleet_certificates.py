"""What deploy/fleet/certificates refuses: what would leave a host with another's certificate or policy."""

import subprocess
from pathlib import Path

import pytest
from deployment import DEPLOY


def certificates(folder: Path, *hosts: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DEPLOY / "fleet" / "certificates", folder, *hosts],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        (("a=10.0.0.1", "a=10.0.0.2"), "'a' is no name for this host: it is taken"),
        (("orchestrator=10.0.0.1",), "'orchestrator' is no name for this host"),
        (("a=10.0.0.1", "b"), "'b' is not HOST=ADDRESS"),
    ],
)
def test_a_host_needs_a_name_of_its_own(tmp_path: Path, hosts: tuple[str, ...], says: str) -> None:
    done = certificates(tmp_path / "fleet", *hosts)
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
