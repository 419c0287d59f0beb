"""The units under a booted systemd, installed as docs/operations.md says: sessions run, units restart."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from booted import Machine, booted
from deployment import DEPLOY, ROOT, run

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts cgroups and a file system: needs root"),
]

SOCKET = Path("/var/run/docker.sock")
CHECKOUT = """
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work /opt/discovery
mount -t overlay overlay -o lowerdir=/checkout,upperdir=/mnt/upper,workdir=/mnt/work /opt/discovery
cd /opt/discovery/.venv
# Programs and packages of the checkout name its own place.
for program in approval-api docker-guard dryrun-orchestrator dryrun; do
    sed --in-place "1s|^#!$0/|#!/opt/discovery/|" bin/$program
done
sed --in-place "s|^$0/|/opt/discovery/|" lib/python3*/site-packages/*.pth
groupadd --system --gid "$1" docker
"""
SECTION = "Without Compose: systemd"
SERVICES = ("docker-guard", "dryrun-orchestrator", "approval-api")


class Installation:
    """The services on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def sh(self, script: str, seconds: float = 120) -> str:
        """Run lines as root would in /opt/discovery; AssertionError when they fail."""
        return self._machine.sh(script, seconds, "/opt/discovery")

    def dryrun(self, *words: str, seconds: float = 240) -> str:
        token = self.sh("cut -d: -f2 /etc/discovery/secrets/api_tokens")
        settings = ("--env", f"DRYRUN_API_TOKEN={token}", "--env", "DRYRUN_API_URL=http://127.0.0.1:8470")
        return run(
            "docker",
            "exec",
            *settings,
            self._machine.name,
            "/opt/discovery/.venv/bin/dryrun",
            *words,
            seconds=seconds,
        )

    def page(self, port: int, path: str) -> str:
        """Return what a service answers on this port of the machine's loopback."""
        url = f"http://127.0.0.1:{port}/{path}"
        ask = f"from urllib.request import urlopen; print(urlopen('{url}', timeout=5).read().decode())"
        return self.sh(f'python3 -c "{ask}"')

    def figure(self, port: int, name: str) -> float:
        (value,) = re.findall(rf"^{name} (\S+)$", self.page(port, "metrics"), re.MULTILINE)
        return float(value)

    def is_ready(self) -> bool:
        """Whether the API follows an orchestrator that is ready, and so is its guard."""
        api, orchestrator = (json.loads(self.page(port, "readyz")) for port in (8470, 8471))
        return bool(api["follower"]["following"] and orchestrator["ready"])

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; a service that does not answer yet may do so later."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with suppress(AssertionError):
                if condition():
                    return
            time.sleep(0.5)
        raise AssertionError(self.sh("journalctl --no-pager --lines=50"))


def guides_commands(section: str, holding: str) -> str:
    """Return the commands of a section's block that holds some words, as root would type them."""
    text = (
        (DEPLOY.parent / "docs" / "operations.md")
        .read_text()
        .partition(f"## {section}\n")[2]
        .partition("\n## ")[0]
    )
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (block,) = [each for each in blocks if holding in each]
    return re.sub(r"^# ", "", block, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def machine() -> Iterator[Installation]:
    options = (f"--volume={SOCKET}:/run/docker.sock", f"--volume={ROOT}:/checkout:ro")
    words = (str(ROOT), str(SOCKET.stat().st_gid))
    with booted("units", *options, prepare=CHECKOUT, words=words) as made:
        installed = Installation(made)
        # PostgreSQL's cluster is Debian's own, and begins with the system.
        installed.sh("until runuser -u postgres -- psql --command='SELECT 1'; do sleep 0.5; done", seconds=60)
        installed.sh(guides_commands(SECTION, "useradd"))
        installed.until(installed.is_ready)
        yield installed


def test_a_session_meets_its_criteria(machine: Installation):
    machine.dryrun("start", "small", "--seed", "3")
    assert "8 of 8" in machine.dryrun("watch", "last")


def test_nothing_failed_or_began_twice(machine: Installation):
    shown = machine.sh(
        f"systemctl show --property=ActiveState,NRestarts --value {' '.join(SERVICES)}"
    ).split()
    assert shown == ["0", "active"] * len(SERVICES) or shown == ["active", "0"] * len(SERVICES)


def test_what_was_backed_up_is_there_after_a_restore(machine: Installation):
    before = machine.dryrun("--json", "list")
    assert "small" in before
    machine.sh(guides_commands(SECTION, "pg_dump"))
    machine.until(machine.is_ready)
    assert machine.dryrun("--json", "list") == before


def test_a_backup_that_is_cut_off_changes_nothing(machine: Installation):
    before = machine.dryrun("--json", "list")
    commands = guides_commands(SECTION, "pg_dump")
    broken = re.sub(r"(?m)^pg_dump .*$", "truncate --size=-5000 /var/backups/dryrun.dump", commands)
    missing = re.sub(r"(?m)^pg_dump .*$", "rm /var/backups/dryrun.dump", commands)
    for each in (broken, missing):
        assert each != commands
        with pytest.raises(AssertionError, match="pg_restore"):
            machine.sh(each)
    machine.sh("systemctl start approval-api")
    machine.until(machine.is_ready)
    assert machine.dryrun("--json", "list") == before


def test_a_new_password_takes_the_place_of_the_old_one(machine: Installation):
    password = "cat /etc/discovery/secrets/database_app_password"
    old = machine.sh(password)
    machine.sh(guides_commands(SECTION, "rotate"))
    machine.until(machine.is_ready)
    assert machine.sh(password) != old
    machine.sh(
        f"PGPASSWORD=$({password}) psql postgresql://approval_app@127.0.0.1/dryrun --command='SELECT 1'"
    )
    with pytest.raises(AssertionError, match="authentication failed"):
        machine.sh(f"PGPASSWORD={old} psql postgresql://approval_app@127.0.0.1/dryrun --command='SELECT 1'")


@pytest.mark.parametrize("service", SERVICES)
def test_all_goes_on_after_a_restart_of(machine: Installation, service: str):
    machine.sh(f"systemctl restart {service}")
    machine.until(machine.is_ready)


def test_deliveries_begin_once_they_have_their_hosts(machine: Installation):
    machine.sh("useradd --system --no-create-home approval-delivery")
    machine.sh(
        "mkdir /etc/systemd/system/approval-delivery.service.d\n"
        "printf '[Service]\\nEnvironment=DELIVERY_HOSTS=https://hooks.example.com\\n'"
        " >/etc/systemd/system/approval-delivery.service.d/override.conf\n"
        "systemctl daemon-reload && systemctl enable --now approval-delivery"
    )
    machine.until(lambda: machine.figure(9326, "approval_delivery_last_round_seconds") > 0)
    assert machine.sh("systemctl show --property=NRestarts --value approval-delivery") == "0"


def test_a_services_user_reads_no_secret_and_only_the_guard_reaches_the_engine(machine: Installation):
    for user in ("dryrun-orchestrator", "approval-api"):
        for command in ("cat /etc/discovery/secrets/api_tokens", "docker version"):
            with pytest.raises(AssertionError, match="ermission denied"):
                machine.sh(f"runuser -u {user} -- {command}")


def test_removed_it_leaves_nothing(machine: Installation):
    machine.sh(guides_commands("Uninstall", "userdel"))
    # The guide has this line with those of Compose.
    machine.sh("deploy/host-rule/dryrun-host-rule remove")
    assert (
        machine.sh(
            "systemctl list-unit-files --no-legend | grep --extended-regexp 'approval|guard|dryrun' || true"
        )
        == ""
    )
    left = "find / -xdev ( -nouser -o -nogroup ) -print".replace("( ", "\\( ").replace(" )", " \\)")
    assert machine.sh(left) == ""
    assert machine.sh("ls -d /etc/systemd/system/*approval* || true") == ""
    named = "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'"
    found = machine.sh(f'runuser -u postgres -- psql --tuples-only --no-align --command="{named}"')
    assert {*found.split()} == {"postgres", "template0", "template1"}
