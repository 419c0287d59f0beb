"""A command in a virtual machine leaves this machine as it was, whatever it is told and however it ends."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from local_stack import ROOT

PROGRAM = ROOT / "tests" / "support" / "in-debian-vm"
KERNEL = "linux-image-6.12.1-amd64"
PROGRAMS = {
    "docker": "echo /var/lib/docker",
    "apt-cache": f"echo ' Depends: {KERNEL}'",
    "apt-get": "touch kernel.deb",
    "dpkg-deb": f"""
        mkdir -p "$3/usr/bin" "$3/boot"
        printf '#!/bin/sh\\ncat >/dev/null\\n' >"$3/usr/bin/busybox"
        cp "$3/usr/bin/busybox" "$3/usr/bin/kmod"
        chmod +x "$3"/usr/bin/*
        touch "$3/boot/vmlinuz-{KERNEL.removeprefix("linux-image-")}"
    """,
    "xz": "",
    "qemu-system-x86_64": 'echo "$$" >"$STARTED"; eval "$MACHINE"',
}
"""What it calls, without packages and without a machine."""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(
        ROOT.is_relative_to("/tmp") or ROOT.is_relative_to("/run"),
        reason="a checkout that the virtual machine would not see",
    ),
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return its environment: the programs above come first."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/bash\nset -e\n{text}\n")
        (folder / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "STARTED": str(tmp_path / "started"),
    }


@pytest.fixture
def cache() -> Path:
    """A folder that the machine would see, unlike the tests' own."""
    folder = ROOT / ".dryrun" / f"vm-{os.getpid()}"
    yield folder / "cache"
    shutil.rmtree(folder, ignore_errors=True)


def run(environment: dict[str, str], cache: Path, machine: str) -> "subprocess.CompletedProcess[str]":
    own = {**environment, "DRYRUN_VM_CACHE": str(cache), "MACHINE": machine}
    return subprocess.run([PROGRAM, "true"], env=own, capture_output=True, text=True, timeout=30, check=False)


SAYS = 'for each; do case $each in *=vm,*) each=${each#*path=}; echo %s >"${each%%%%,*}/code" ;; esac; done'
"""A machine whose command ends with an exit code."""


def test_the_exit_code_is_the_commands_and_the_kernel_is_fetched_once(environment, cache):
    for code in (0, 7):
        done = run(environment, cache, SAYS % code)
        assert done.returncode == code, done.stderr
        assert [each.name for each in cache.parent.iterdir()] == ["cache"]
        (Path(environment["PATH"].partition(":")[0]) / "apt-get").write_text("#!/bin/bash\nexit 9\n")


@pytest.mark.parametrize("machine", ["true", SAYS % "", "exit 3"], ids=["silent", "empty", "failed"])
def test_a_machine_that_does_not_say_how_its_command_ended_failed(environment, cache, machine):
    assert run(environment, cache, machine).returncode != 0


def test_a_folder_that_somebody_else_uses_is_left_alone(environment, cache):
    cache.mkdir(parents=True)
    (cache / "letter").touch()
    done = run(environment, cache, SAYS % 0)
    assert (done.returncode, f"{cache} is there" in done.stderr) == (1, True)
    assert [each.name for each in cache.iterdir()] == ["letter"]


def test_a_fetch_that_fails_leaves_nothing(environment, cache):
    (Path(environment["PATH"].partition(":")[0]) / "apt-get").write_text("#!/bin/bash\nexit 9\n")
    assert run(environment, cache, SAYS % 0).returncode != 0
    assert list(cache.parent.iterdir()) == []


@pytest.mark.parametrize("parent", ["/tmp", "/run"])
def test_a_folder_that_the_machine_does_not_see_is_refused(environment, parent):
    place = Path(parent, f"dryrun-vm-of-{os.getpid()}")
    done = run(environment, place, SAYS % 0)
    assert (done.returncode, "is not seen there" in done.stderr) == (1, True)
    assert not place.exists()


def test_the_machine_ends_with_whoever_started_it(environment, cache):
    started = Path(environment["STARTED"])
    own = {**environment, "DRYRUN_VM_CACHE": str(cache), "MACHINE": "exec sleep 60"}
    with subprocess.Popen([PROGRAM, "true"], env=own, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not started.exists() or not started.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    machine = Path("/proc", started.read_text().strip())
    deadline = time.monotonic() + 5
    while machine.exists():
        assert time.monotonic() < deadline, "it is left behind"
        time.sleep(0.05)
