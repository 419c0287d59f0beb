"""A command with an engine of its own has the machine's images and nothing else, and leaves nothing."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_stack import ROOT

PROGRAM = ROOT / "tests" / "support" / "with-own-engine"

# Apart, since it takes its images from the machine's engine, and looks for whatever an engine leaves.
pytestmark = [pytest.mark.engine, pytest.mark.apart]

IMAGES = ("docker", "image", "ls", "--no-trunc", "--format={{.Repository}}:{{.Tag}} {{.ID}}")
START = "docker run --detach --network=none --entrypoint=sleep discovery/test-nginx:1.26 600"


def run(*command: str | Path, seconds: float = 60) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds).stdout


@pytest.fixture(autouse=True)
def possible() -> None:
    if subprocess.run([PROGRAM, "--possible"], check=False).returncode != 0:
        pytest.skip("needs root, and the machine's own engine with the storage driver overlay2")


@pytest.fixture
def foreign(docker) -> Iterator[str]:
    """A container of the machine's engine, that the other one must not show."""
    made = docker("create", "--network=none", "discovery/test-nginx:1.26")
    yield made
    docker("rm", "--force", made)


def traces() -> dict[str, list[str]]:
    """Return what the machine shows of engines that tests started: mounts, cgroups and network namespaces."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if "/run/layers" in line]
    cgroups = [str(each) for each in Path("/sys/fs/cgroup").rglob("dryrun-own-engine-*/*") if each.is_dir()]
    # Unit tests scan in namespaces of these names.
    networks = [
        line for line in run("ip", "netns", "list").splitlines() if not re.match(r"dryrun-[st]\d+\b", line)
    ]
    return {"mounts": mounts, "cgroups": cgroups, "networks": networks}


def test_it_has_the_machines_images_and_its_own_containers_network_and_processes(foreign):
    look = f"{' '.join(IMAGES[:-1])} '{IMAGES[-1]}'; echo --; docker ps --all --quiet; echo --; "
    look += "ls /sys/class/net; echo --; deploy/host-rule/dryrun-host-rule check; echo --; ls /run/netns; "
    look += f"{START} >/dev/null && docker ps --quiet | wc -l"
    images, containers, network, rule, rest = run(PROGRAM, "sh", "-c", look).split("--\n")

    assert sorted(images.splitlines()) == sorted(run(*IMAGES).splitlines())
    assert foreign[:12] not in containers
    assert containers == ""
    assert network.split() == ["docker0", "lo"]
    assert rule == "dryrun-host-rule: the rule is complete\n"
    assert rest == "1\n"


def test_it_ends_as_its_command_does():
    assert subprocess.run([PROGRAM, "sh", "-c", "exit 7"], check=False, timeout=60).returncode == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_its_engine_starts(number):
    before = set(engines())
    with subprocess.Popen([PROGRAM, "sleep", "60"]) as starting:
        wait_until(lambda: set(engines()) - before, 30)
        # Ctrl-C reaches every process in the foreground; this one is the first of the engine's namespaces.
        (first,) = Path(f"/proc/{starting.pid}/task/{starting.pid}/children").read_text().split()
        os.kill(int(first), number)
        assert starting.wait(10) == 128 + number
    wait_until(lambda: set(engines()) <= before, 10)


def test_nothing_is_left_when_whoever_started_it_is_killed():
    before = traces()
    sleep = f"sleep {random.randrange(10**6, 10**9)}"
    # The one in between stands for pytest, whose worker this is.
    between = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = [sys.executable, "-c", between, PROGRAM, "sh", "-c", f"{START} && {sleep}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as parent:
        try:
            wait_until(lambda: processes(sleep), 60)
        finally:
            parent.kill()

    wait_until(lambda: not processes(sleep), 10)
    run(PROGRAM, "true")  # takes the same number, and removes its cgroups, which end with nobody
    assert traces() == before


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def engines() -> list[str]:
    return processes("dockerd --config-file=/dev/null")


def processes(command: str) -> list[str]:
    """Return the processes whose command line begins so."""
    wanted = command.replace(" ", "\0").encode() + b"\0"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(wanted):
                found.append(folder.name)
        except OSError:
            continue
    return found
