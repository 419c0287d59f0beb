"""The units under a booted systemd, installed as docs/operations.md says: a session runs, each can restart.

The container has the machine's engine; its network, processes, cgroups and /opt/discovery are its own.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from deployment import DEPLOY, ROOT, run

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts cgroups and a file system: needs root"),
]

SOCKET = Path("/var/run/docker.sock")
MACHINE = """
FROM discovery/base:13
RUN apt-get update && apt-get install --assume-yes --no-install-recommends \\
    systemd systemd-sysv python3 postgresql openssl openssh-client docker-cli
RUN printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=true\\n' \\
    >/etc/systemd/system/docker.service
"""
BOOT = """
set -e
umount --recursive /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount --make-rshared /
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
exec /sbin/init
"""
SERVICES = ("docker-guard", "dryrun-orchestrator", "approval-api")


@dataclass(frozen=True)
class Machine:
    """A booted system in a container."""

    name: str

    def sh(self, script: str, seconds: float = 120) -> str:
        """Run lines as root would in /opt/discovery; AssertionError when they fail."""
        return run(
            "docker", "exec", "--workdir=/opt/discovery", self.name, "bash", "-ec", script, seconds=seconds
        )

    def dryrun(self, *words: str, seconds: float = 240) -> str:
        token = self.sh("cut -d: -f2 /etc/discovery/secrets/api_tokens")
        settings = ("--env", f"DRYRUN_API_TOKEN={token}", "--env", "DRYRUN_API_URL=http://127.0.0.1:8470")
        return run(
            "docker", "exec", *settings, self.name, "/opt/discovery/.venv/bin/dryrun", *words, seconds=seconds
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


def guides_commands() -> str:
    """Return the commands of the guide's section, as root would type them."""
    guide = (DEPLOY.parent / "docs" / "operations.md").read_text()
    section = guide.partition("## Without Compose: systemd")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return re.sub(r"^# ", "", block, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    image, name = "discovery/test-systemd:13", f"dryrun-units-{os.getpid()}"
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", image, "-"],
        input=MACHINE.encode(), check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    run(
        "docker", "run", "--detach", f"--name={name}", "--privileged", "--cgroupns=private",
        "--env=container=docker", "--tmpfs=/run", f"--volume={SOCKET}:/run/docker.sock",
        f"--volume={ROOT}:/checkout:ro", image, "bash", "-c", BOOT, str(ROOT), str(SOCKET.stat().st_gid),
    )  # fmt: skip
    try:
        made = Machine(name)
        # PostgreSQL's cluster is Debian's own, and begins with the system.
        made.sh("until runuser -u postgres -- psql --command='SELECT 1'; do sleep 0.5; done", seconds=60)
        made.sh(guides_commands())
        made.until(made.is_ready)
        yield made
    finally:
        run("docker", "rm", "--force", "--volumes", name)


def test_a_session_meets_its_criteria(machine: Machine):
    machine.dryrun("start", "small", "--seed", "3")
    assert "8 of 8" in machine.dryrun("watch", "last")


def test_nothing_failed_or_began_twice(machine: Machine):
    shown = machine.sh(
        f"systemctl show --property=ActiveState,NRestarts --value {' '.join(SERVICES)}"
    ).split()
    assert shown == ["0", "active"] * len(SERVICES) or shown == ["active", "0"] * len(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_all_goes_on_after_a_restart_of(machine: Machine, service: str):
    machine.sh(f"systemctl restart {service}")
    machine.until(machine.is_ready)


def test_deliveries_begin_once_they_have_their_hosts(machine: Machine):
    machine.sh("useradd --system --no-create-home approval-delivery")
    machine.sh(
        "mkdir /etc/systemd/system/approval-delivery.service.d\n"
        "printf '[Service]\\nEnvironment=DELIVERY_HOSTS=https://hooks.example.com\\n'"
        " >/etc/systemd/system/approval-delivery.service.d/override.conf\n"
        "systemctl daemon-reload && systemctl enable --now approval-delivery"
    )
    machine.until(lambda: machine.figure(9326, "approval_delivery_last_round_seconds") > 0)
    assert machine.sh("systemctl show --property=NRestarts --value approval-delivery") == "0"


def test_a_services_user_reads_no_secret_and_only_the_guard_reaches_the_engine(machine: Machine):
    for user in ("dryrun-orchestrator", "approval-api"):
        for command in ("cat /etc/discovery/secrets/api_tokens", "docker version"):
            with pytest.raises(AssertionError, match="ermission denied"):
                machine.sh(f"runuser -u {user} -- {command}")
