"""`dryrun-local demo` as a person runs it: to its end, interrupted, and killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from ipaddress import ip_network
from pathlib import Path
from uuid import uuid4

import pytest
from canaries import found_in, mentions
from inert_report import faults_of
from local_stack import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.long(90)]

PROGRAM = str(ROOT / ".venv" / "bin" / "dryrun-local")
SESSION_LABEL = "discovery.dryrun.session_id"
OWNER_LABEL = "discovery.dryrun.owner"
POOL = random.choice(list(ip_network("10.213.64.0/18").subnets(new_prefix=24)))
"""Another checkout's tests may run on this engine."""
START_SECONDS = 10
"""From the command to the session when it ran here before. On an idle machine 3 s are promised."""
REFUSED_SECONDS = 10
"""From the command to its refusal; on a busy machine three times what the first one took to its session."""


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """An installation beside the person's own: its database, ports and sessions are its own.

    The tests share it, as a person's demos share theirs; what one leaves behind is the next one's trouble.
    """
    folder = tmp_path_factory.mktemp("state")
    shutil.copy(ROOT / ".dryrun" / "allowlist.json", folder)
    return folder


@pytest.fixture
def start_demo(state, engine):
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        demo = subprocess.Popen(
            [PROGRAM, "demo", "--json", *arguments],
            env=os.environ | {"DRYRUN_LOCAL_STATE": str(state), "ORCHESTRATOR_SUBNET_POOL": str(POOL)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.kill()
        demo.communicate(timeout=10)


def read_until(demo, wanted) -> dict:
    """Read events until one fulfils `wanted`; fails with what was said when the output ends before."""
    for line in demo.stdout:
        event = json.loads(line)
        if wanted(event):
            return event
    pytest.fail(f"the demo ended before: {demo.stderr.read()}")


def phase_is(phase):
    return lambda event: event.get("data", {}).get("phase") == phase


def things_of(docker, session_id) -> list[str]:
    label = f"label={SESSION_LABEL}={session_id}"
    return [
        *docker("ps", "-aq", "--filter", label).split(),
        *docker("network", "ls", "-q", "--filter", label).split(),
    ]


def networks_of_the_pool(docker) -> list[str]:
    """Return the networks in this installation's pool, whatever their labels say."""
    form = "{{.Name}}{{range .IPAM.Config}} {{.Subnet}}{{end}}"
    names = docker("network", "ls", "--format", "{{.Name}}").split()
    listed = [line.split() for line in inspected(names, form)]
    return [name for name, *subnets in listed if any(ip_network(each).overlaps(POOL) for each in subnets)]


def inspected(names, form) -> list[str]:
    # Networks of tests that run beside may go away meanwhile: their absence is no error here.
    command = ["docker", "network", "inspect", "--format", form, *names]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30
    ).stdout.splitlines()


def processes_of(state) -> list[str]:
    mark = f"DRYRUN_INSTALLATION={state}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


@pytest.fixture
def make_session_of_others(docker):
    """Make a network as another installation's session has it; it is removed in the end."""
    names = []

    def make() -> None:
        names.append(f"e2e-others-{uuid4().hex[:12]}")
        labels = [f"--label={SESSION_LABEL}={uuid4()}", f"--label={OWNER_LABEL}={uuid4()}"]
        docker("network", "create", "--internal", "--driver=bridge", *labels, names[-1])

    yield make
    for name in names:
        docker("network", "rm", name)


def test_one_command_gives_a_report_and_leaves_nothing(start_demo, state, docker, make_session_of_others):
    volumes = set(docker("volume", "ls", "-q").split())
    demo = start_demo()
    read_until(demo, phase_is("scanning"))
    # What begins beside it is not what it left.
    make_session_of_others()
    said, complained = demo.communicate(timeout=180)

    last = json.loads(said.splitlines()[-1])
    assert demo.returncode == 0, complained
    assert last["type"] == "demo_ended"
    assert last["outcome"] == "completed"
    assert last["left"] == []
    assert things_of(docker, last["session_id"]) == []
    assert networks_of_the_pool(docker) == []
    assert set(docker("volume", "ls", "-q").split()) <= volumes
    assert processes_of(state) == []

    files = {path.suffix: path.read_text(encoding="utf-8") for path in map(Path, last["files"])}
    assert set(files) == {".html", ".md", ".csv", ".json"}
    report = json.loads(files[".json"])
    scores = report["scores"]
    found = {(fact["kind"], fact["key"]) for fact in scores["found"]}
    assert {("service", "db:5432/tcp"), ("table", "db:5432/tcp/shop/public/payment_cards")} <= found
    missed = {(fact["kind"], fact["key"]) for fact in scores["false_negatives"]}
    assert missed == {("service", "web:18734/tcp")}
    unknowable = {fact["key"] for fact in scores["not_evaluable"]}
    assert unknowable == {"cache:6379/tcp/0", "cache:6379/tcp/1"}
    assert all(
        key.replace("|", "\\|") in files[form]
        for _, key in missed | {("", key) for key in unknowable}
        for form in (".html", ".md", ".csv")
    )
    assert [fault for form, text in files.items() for fault in faults_of(form, text)] == []
    assert report["verdict"]["passed"] is True
    assert_the_logs_of_targets_are_told(report)
    assert_what_targets_hold_stands_nowhere(state)


def assert_what_targets_hold_stands_nowhere(state):
    """Look into logs, journal, database and reports: whole files, for seeded values and passwords."""
    assert mentions(state, "payment_cards"), "names are found, or not finding values shows nothing"
    assert found_in(state) == []


def assert_the_logs_of_targets_are_told(report):
    """Hold the report to what every session leaves: lines in the database's log, packets, digests."""
    for collector in ("network", "database"):
        # Two run at once, and a line may not say which of them it is about.
        parts = [part for part in report["logs"]["db"]["by_collectors"] if collector in part["collectors"]]
        assert sum(part["lines"] for part in parts) >= 1, collector
        assert any(part["sample"] for part in parts), collector
        sent = [part for part in report["traffic"]["by_collectors"] if collector in part["collectors"]]
        assert sum(part["rx_packets"] for part in sent) >= 1, collector
    assert all(run["config_digest"].startswith("sha256:") for run in report["collectors"])


# It measures how long a person waits.
@pytest.mark.alone
def test_ctrl_c_removes_the_session_and_ends_the_services(
    start_demo, state, docker, record_testsuite_property
):
    begun = time.monotonic()
    demo = start_demo()
    read_until(demo, phase_is("provisioning"))
    seconds = time.monotonic() - begun
    record_testsuite_property("seconds_to_the_session", round(seconds, 2))
    assert seconds < START_SECONDS
    session_id = read_until(demo, phase_is("scanning"))["session_id"]
    assert things_of(docker, session_id) != []

    # A terminal signals everything in the foreground, not the one process that a person thinks of.
    os.killpg(demo.pid, signal.SIGINT)
    said, complained = demo.communicate(timeout=120)

    assert demo.returncode == 128 + signal.SIGINT, complained
    assert json.loads(said.splitlines()[-1])["left"] == []
    assert things_of(docker, session_id) == []
    assert networks_of_the_pool(docker) == []
    assert processes_of(state) == []


def test_a_killed_run_is_cleaned_up_by_the_next_one(start_demo, state, docker):
    killed = start_demo()
    session_id = read_until(killed, phase_is("waiting"))["session_id"]
    killed.kill()
    killed.wait(timeout=10)
    assert processes_of(state) != [], "kill -9 leaves the services, or this test shows nothing"

    refused = start_demo("--template", "no-such-template")
    _, complained = refused.communicate(timeout=120)

    assert refused.returncode == 1
    assert "no-such-template" in complained
    assert "small" in complained
    assert things_of(docker, session_id) == []
    assert processes_of(state) == []


def test_a_second_run_beside_the_first_is_refused(start_demo):
    begun = time.monotonic()
    first = start_demo()
    read_until(first, phase_is("provisioning"))
    started = time.monotonic()
    # Held where it is: on a busy machine it would be at its end before the second one is refused.
    first.send_signal(signal.SIGSTOP)

    second = start_demo()
    _, complained = second.communicate(timeout=120)
    refused = time.monotonic()

    assert second.returncode == 1
    assert f"another dryrun-local (process {first.pid})" in complained
    assert refused - started < max(REFUSED_SECONDS, 3 * (started - begun))
    first.send_signal(signal.SIGINT)
    first.send_signal(signal.SIGCONT)
    # What it says is read: a pipe that is full would keep it from ending.
    _, complained = first.communicate(timeout=120)
    assert first.returncode == 128 + signal.SIGINT, complained
