"""The branches of set-up, with stubs for every program that would change the machine."""

import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from local_stack import ROOT

REAL = "bash cat dirname env grep mkdir mv rm sed setsid sha256sum sleep sort tail timeout touch tr"
FUNCTIONS = """
set -euo pipefail
ROOT=$PWD LOG=$PWD/.dryrun/logs/setup.log
for file in steps packages engine host_rule python; do . setup/$file.sh; done
start_log
"$@"
"""


class Machine:
    """A folder with a checkout's set-up, and a PATH of stubs that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls_file = folder / "calls"
        self.calls_file.touch()
        shutil.copytree(ROOT / "setup", folder / "setup")
        for name in REAL.split():
            (self.bin / name).symlink_to(shutil.which(name))
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(folder),
            "SETUP_ADMIN_PATH": "",
            "SETUP_SYSTEMD": str(folder / "no-systemd"),
            "SETUP_RUN": str(folder / "run"),
            "SETUP_DOCKERD_LOG": str(folder / "dockerd.log"),
            "SETUP_PLUGIN_FOLDERS": str(folder / "plugins"),
            "SETUP_HOST_RULE_MARK": str(folder / "host-rule-mark"),
            "SETUP_ENGINE_TRIES": "20",
        }
        (folder / "run" / "docker" / "containerd").mkdir(parents=True)

    def stub(self, name: str, body: str = "") -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>{self.calls_file}\n{body}\n')
        path.chmod(0o755)

    def user(self, number: int) -> None:
        self.stub("id", f'if [ "$1" = -un ]; then echo somebody; else echo {number}; fi')

    def engine_answers_when(
        self, condition: str, version: str = "26.1.5", complaint: str = "no socket"
    ) -> None:
        self.stub("docker", f'if {condition}; then echo {version}; else echo "{complaint}" >&2; exit 1; fi')

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", FUNCTIONS, "setup", *words],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """Calls of stubs that may change something."""
        harmless = ("docker version", "id ")
        return [call for call in self.calls_file.read_text().splitlines() if not call.startswith(harmless)]


@pytest.fixture
def machine(tmp_path) -> Machine:
    machine = Machine(tmp_path)
    machine.user(0)
    machine.stub("mount")
    return machine


def test_an_engine_that_answers_is_left_as_it_is(machine):
    machine.engine_answers_when("true")
    done = machine.run("ensure_engine")
    assert (done.returncode, done.stderr, machine.calls) == (0, "", [])


def test_an_engine_that_is_too_old_is_named_and_left_as_it_is(machine):
    machine.engine_answers_when("true", version="20.10.24+dfsg1")
    done = machine.run("ensure_engine")
    assert done.returncode == 1
    assert "Docker Engine 20.10.24+dfsg1 answers" in done.stderr
    assert machine.calls == []


def test_a_silent_docker_host_is_named_and_nothing_is_installed(machine):
    machine.engine_answers_when("false")
    done = machine.run("ensure_engine", DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.returncode == 1
    assert "DOCKER_HOST is tcp://127.0.0.1:1" in done.stderr
    assert machine.calls == []


def test_names_the_group_to_a_user_who_may_not_use_the_engine(machine):
    machine.user(1000)
    machine.engine_answers_when("false", complaint="permission denied while trying to connect")
    done = machine.run("ensure_engine")
    assert done.returncode == 1
    assert "sudo usermod -aG docker somebody" in done.stderr
    assert machine.calls == []


def test_without_root_names_the_commands_that_install_the_engine(machine):
    machine.user(1000)
    machine.stub("apt-get")
    machine.engine_answers_when("false")
    done = machine.run("ensure_engine")
    assert done.returncode == 1
    assert "sudo apt-get update && sudo apt-get install docker.io docker-cli" in done.stderr
    assert machine.calls == []


def test_without_root_names_the_command_that_starts_the_engine(machine):
    machine.user(1000)
    machine.stub("dockerd")
    machine.engine_answers_when("false")
    done = machine.run("ensure_engine")
    assert done.returncode == 1
    assert "sudo systemctl start docker" in done.stderr
    assert machine.calls == []


def test_root_unattended_installs_and_starts_a_missing_engine(machine):
    started = machine.folder / "started"
    machine.engine_answers_when(f"[ -e {started} ]")
    dockerd = machine.bin / "dockerd"
    machine.stub("apt-get", f'if [ "$1" = install ]; then mv {dockerd}.deb {dockerd}; fi')
    machine.stub("dockerd", f"touch {started}; sleep 5")
    dockerd.rename(f"{dockerd}.deb")

    done = machine.run("ensure_engine")

    assert done.returncode == 0, done.stderr
    assert machine.calls == [
        "apt-get update",
        "apt-get install -y --no-install-recommends docker.io",
        "dockerd ",
    ]
    assert "Docker Engine starts: done" in done.stderr


def test_an_engine_that_its_package_started_is_not_started_again(machine):
    installed = machine.folder / "installed"
    machine.engine_answers_when(f"[ -e {installed} ]")
    machine.stub("apt-get", f'if [ "$1" = install ]; then touch {installed}; fi')
    done = machine.run("ensure_engine")
    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in machine.calls] == ["apt-get", "apt-get"]


def test_systemd_starts_the_engine_where_it_runs(machine):
    started = machine.folder / "started"
    (machine.folder / "systemd").mkdir()
    machine.stub("dockerd")
    machine.stub("systemctl", f"touch {started}")
    machine.engine_answers_when(f"[ -e {started} ]")
    done = machine.run("ensure_engine", SETUP_SYSTEMD=str(machine.folder / "systemd"))
    assert done.returncode == 0, done.stderr
    assert machine.calls == ["systemctl start docker"]


def test_shows_the_end_of_the_log_of_an_engine_that_dies(machine):
    machine.stub("dockerd", "echo 'failed to start: no space left on device' >&2; exit 1")
    machine.engine_answers_when("false")
    begun = time.monotonic()
    done = machine.run("ensure_engine", SETUP_ENGINE_TRIES="1000")
    assert done.returncode == 1
    assert "no space left on device" in done.stderr
    assert str(machine.folder / "dockerd.log") in done.stderr
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("kept", [True, False])
def test_a_pid_file_is_removed_unless_its_process_is_the_daemon(machine, kept):
    shutil.copy(shutil.which("sleep"), machine.folder / "dockerd")
    program = str(machine.folder / "dockerd") if kept else "sleep"
    process = subprocess.Popen([program, "30"])
    try:
        pid_file = machine.folder / "run" / "docker.pid"
        pid_file.write_text(str(process.pid))
        done = machine.run("remove_stale_pid_file", str(pid_file), "dockerd")
        assert done.returncode == 0, done.stderr
        assert pid_file.exists() is kept
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize(("answer", "installs"), [("\n", True), ("y\n", True), ("n\n", False)])
def test_a_person_at_a_terminal_is_asked_first(machine, answer, installs):
    installed = machine.folder / "installed"
    machine.engine_answers_when(f"[ -e {installed} ]")
    machine.stub("apt-get", f'if [ "$1" = install ]; then touch {installed}; fi')
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", FUNCTIONS, "setup", "ensure_engine"],
        cwd=machine.folder,
        env=machine.environment,
        stdin=terminal,
        stderr=terminal,
        stdout=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    while b"[Y/n]" not in shown:
        shown += os.read(keyboard, 1000)
    os.write(keyboard, answer.encode())
    # The terminal is read until its last user closes it, which Linux reports as an error.
    try:
        while chunk := os.read(keyboard, 1000):
            shown += chunk
    except OSError:
        pass
    os.close(keyboard)
    assert process.wait(30) == (0 if installs else 1), shown.decode()
    assert bool(machine.calls) is installs
    if not installs:
        assert b"nothing was changed" in shown


def test_only_missing_packages_are_installed(machine):
    for name in ("docker", "mmdebstrap", "nft", "uv"):
        machine.stub(name)
    machine.stub("apt-get")
    done = machine.run("ensure_packages", "demo")
    assert done.returncode == 0, done.stderr
    assert machine.calls == [
        "apt-get update",
        "apt-get install -y --no-install-recommends docker-buildx iproute2",
    ]


def test_nightly_tests_need_what_all_tests_need_and_a_virtual_machine(machine):
    needed = {
        purpose: set(machine.run("missing_packages", purpose).stdout.split())
        for purpose in ("demo", "test", "nightly")
    }
    assert needed["demo"] < needed["test"]
    assert needed["nightly"] - needed["test"] == {"qemu-system-x86"}


def test_without_root_names_the_command_that_installs_packages(machine):
    machine.user(1000)
    for name in ("docker", "mmdebstrap", "nft", "ip", "uv"):
        machine.stub(name)
    machine.stub("apt-get")
    done = machine.run("ensure_packages", "demo")
    assert done.returncode == 1
    assert "--no-install-recommends docker-buildx uidmap" in done.stderr
    assert machine.calls == []


def test_a_failed_step_shows_the_end_of_its_own_log_and_where_it_is(machine):
    machine.stub("apt-get", 'echo "E: Unable to locate package $1"; exit 100')
    machine.run("run_step", "Something before", "cat", "setup/steps.sh")
    done = machine.run("install_packages", "docker.io")
    assert done.returncode == 1
    assert "Debian's package lists: FAILED (exit code 100)" in done.stderr
    assert "    E: Unable to locate package update\n" in done.stderr
    assert str(machine.folder / ".dryrun/logs/setup.log") in done.stderr


def is_running(command: str) -> bool:
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if arguments.read_text() == command:
                return True
        except OSError:  # it ended meanwhile
            continue
    return False


def test_an_interruption_ends_the_step_that_runs(machine):
    process = subprocess.Popen(
        ["bash", "-c", FUNCTIONS, "setup", "run_step", "A long step", "sleep", "47.11"],
        cwd=machine.folder,
        env=machine.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr.readline().strip() == "A long step ..."
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in said
    # It was sent a signal; on a busy machine it takes a moment to go.
    deadline = time.monotonic() + 10
    while is_running("sleep\x0047.11\x00"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def host_rule(machine) -> Path:
    script = machine.folder / "deploy" / "host-rule" / "dryrun-host-rule"
    script.parent.mkdir(parents=True)
    loaded = machine.folder / "loaded"
    script.write_text(
        f'#!/bin/bash\necho "host-rule $1" >>{machine.calls_file}\n'
        f"case $1 in check) [ -e {loaded} ];; install) touch {loaded};; esac\n"
    )
    script.chmod(0o755)
    return loaded


def test_the_host_rule_is_installed_once(machine, host_rule):
    for _ in range(2):
        assert machine.run("ensure_host_rule").returncode == 0
    assert machine.calls == ["host-rule check", "host-rule install", "host-rule check"]


def test_without_root_names_the_command_that_installs_the_host_rule(machine, host_rule):
    machine.user(1000)
    done = machine.run("ensure_host_rule")
    assert done.returncode == 1
    assert f"sudo {machine.folder}/deploy/host-rule/dryrun-host-rule install" in done.stderr
    (machine.folder / "host-rule-mark").touch()
    assert machine.run("ensure_host_rule").returncode == 0
    assert machine.calls == []


def test_python_packages_are_installed_once_and_again_after_a_change(machine):
    services = ("contract", "serving", "guard", "orchestrator", "collectors", "approval")
    for package in (*services, "cli", "local", "replica"):
        (machine.folder / package).mkdir()
        (machine.folder / package / "pyproject.toml").touch()
    (machine.folder / "requirements").mkdir()
    for name in ("build.txt", "dev.txt", "uv.txt"):
        (machine.folder / "requirements" / name).touch()
    python = machine.folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/bash\n")
    python.chmod(0o755)
    machine.stub("uv")

    machine.run("ensure_python")
    installed = machine.calls
    assert any(call.startswith("uv pip install --require-hashes") for call in installed)
    machine.run("ensure_python")
    assert machine.calls == installed
    (machine.folder / "local" / "pyproject.toml").write_text("dependencies = []")
    machine.run("ensure_python")
    assert len(machine.calls) == 2 * len(installed)
