import os
import signal
import subprocess
import sys

import pytest
from stage import Stage

ORCHESTRATOR = [sys.executable, "-c", "from dryrun_orchestrator.main import main; main()", "serve"]

WITHOUT_SUPERVISOR = """
from dryrun_orchestrator.main import main
from dryrun_orchestrator.running.supervisor import Supervisor

async def fail(self):
    raise RuntimeError("a fault of the program")

Supervisor.run = fail
main()
"""


def environ(stage, **changes):
    return {
        **os.environ,
        "ORCHESTRATOR_TOKEN": "a-token-of-sixteen",
        "ORCHESTRATOR_LISTEN": "127.0.0.1:0",
        "ORCHESTRATOR_STATE_DIR": str(stage.folder / "state"),
        "ORCHESTRATOR_TEMPLATES_DIR": str(stage.folder / "templates"),
        "ORCHESTRATOR_COLLECTORS_DIR": str(stage.folder / "collectors"),
        "ORCHESTRATOR_ALLOWLIST": str(stage.folder / "allowlist.json"),
        "DOCKER_HOST": f"unix://{stage.folder}/no-engine.sock",
        **changes,
    }


def refused(stage, **changes):
    done = subprocess.run(
        ORCHESTRATOR,
        env=environ(stage, **changes),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_wrong_settings_are_reported_without_a_traceback(tmp_path):
    assert "ORCHESTRATOR_SESSION_SECONDS" in refused(Stage(tmp_path), ORCHESTRATOR_SESSION_SECONDS="9999")


def test_an_allowlist_outside_the_prefix_is_reported_without_a_traceback(tmp_path):
    stage = Stage(tmp_path)
    (tmp_path / "allowlist.json").write_text(
        '{"version": 1, "images": {"evil/nginx:1": {"id": "sha256:%s"}}}' % ("0" * 64)
    )
    said = refused(stage)
    assert "evil/nginx:1" in said
    assert "discovery/test-" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"DOCKER_HOST": "tcp://guard"}, "DOCKER_HOST is 'tcp://guard'; it has to be"),
        (
            {"DOCKER_HOST": "tcp://guard:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere"},
            "ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH '/nowhere'",
        ),
    ],
    ids=["an address", "certificates"],
)
def test_an_engine_that_cannot_be_spoken_to_is_reported_without_a_traceback(tmp_path, changes, says):
    stage = Stage(tmp_path)
    stage.write_collectors()
    assert refused(stage, **changes).startswith(f"dryrun-orchestrator: {says}")


def test_it_starts_without_an_engine_and_stops_when_asked(tmp_path):
    stage = Stage(tmp_path)
    stage.write_collectors()
    process = subprocess.Popen(ORCHESTRATOR, env=environ(stage), stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if "running on" in line:
                break
        second = refused(stage)
        assert "another orchestrator works with the journal" in second
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert process.returncode == 0


def test_the_failure_of_its_supervisor_ends_the_process_as_a_failure(tmp_path):
    stage = Stage(tmp_path)
    stage.write_collectors()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SUPERVISOR, "serve"],
        env=environ(stage),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "the supervisor failed; ending the process" in done.stdout
    assert done.returncode == 1
