"""Debian's systemd, booted in a container whose network, processes and cgroups are its own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deployment import run

_IMAGE = "discovery/test-systemd:13"
_MACHINE = """
FROM discovery/base:13
RUN apt-get update && apt-get install --assume-yes --no-install-recommends \\
    systemd systemd-sysv udev nftables iproute2 python3 postgresql openssl openssh-client docker-cli
RUN printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=true\\n' \\
    >/etc/systemd/system/docker.service
"""
_BOOT = """
set -e
umount --recursive /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount --make-rshared /
{prepare}
exec /sbin/init
"""


@dataclass(frozen=True)
class Machine:
    """A booted system in a container."""

    name: str

    def sh(self, script: str, seconds: float = 120, folder: str = "/") -> str:
        """Run lines as root in a folder; AssertionError when they fail."""
        words = ("docker", "exec", f"--workdir={folder}", self.name, "bash", "-ec", script)
        return run(*words, seconds=seconds)

    def reboot(self) -> None:
        """Return once it has booted again."""
        run("docker", "restart", "--time=20", self.name)
        self.until_booted()

    def until_booted(self) -> None:
        """Wait until systemd has started all of it; what failed is no matter here."""
        state = "systemctl is-system-running --wait 2>/dev/null | grep --extended-regexp 'running|degraded'"
        self.sh(f"until {state}; do sleep 0.2; done", seconds=60)


@contextmanager
def booted(name: str, *options: str, prepare: str = "", words: tuple[str, ...] = ()) -> Iterator[Machine]:
    """Yield a machine; `prepare` runs before its systemd, with `words` as its arguments."""
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", _IMAGE, "-"],
        input=_MACHINE.encode(), check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    name = f"dryrun-{name}-{os.getpid()}"
    run(
        "docker", "run", "--detach", f"--name={name}", "--privileged", "--cgroupns=private",
        "--env=container=docker", "--tmpfs=/run", *options, _IMAGE,
        "bash", "-c", _BOOT.format(prepare=prepare), *words,
    )  # fmt: skip
    try:
        made = Machine(name)
        made.until_booted()
        yield made
    finally:
        run("docker", "rm", "--force", "--volumes", name)
