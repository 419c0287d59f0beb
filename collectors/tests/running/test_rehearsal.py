import json
import subprocess
import sys

import pytest
from ended_session import SESSION

from discovery_collectors.running.command_line import read_command
from discovery_collectors.running.rehearsal import NotRehearsedError, require_rehearsal
from dryrun_contract.collector_config import CollectorConfig, Credential, configuration_digest, to_environment

IMAGE = f"sha256:{'1' * 64}"
REHEARSED = CollectorConfig(
    cidr="10.213.0.0/27",
    self="10.213.0.30",
    max_rate=500,
    credentials=(Credential(engine="snmp", password="public"),),
)
REPORT = {
    "version": 2,
    "final": True,
    "scan_over": True,
    "session": {**SESSION, "template": "medium"},
    "verdict": None,
    "scores": None,
    "scores_missing": None,
    "harmed": [],
    "logs": {"plc": {"counts": {}, "side_effects": {"restarts": 0}, "lines": 9}},
    "phases": [],
    "traffic": None,
    "images": [],
    "template": {"id": "medium", "title": None, "digest": "sha256:2", "seed": 0},
    "isolation": None,
    "history_complete": True,
    "field_of_a_newer_version": True,
}
HARM = {"service": "plc", "harm": "died", "during": ["snmp"], "detail": "", "at": "2026-01-31T09:30:00Z"}


def run_of(collector="snmp", **changes):
    return {
        "collector": collector,
        "run": "1",
        "image": f"discovery/test-collector-{collector}:1.0",
        "image_id": IMAGE,
        "ended": True,
        "complete": True,
        "truncated": False,
        "discoveries": 6,
        "warnings": 0,
        "warning_examples": [],
        "exit_code": 0,
        "reason": None,
        "seconds": 1.0,
        "config_digest": configuration_digest(REHEARSED),
        "lines": 7,
        **changes,
    }


@pytest.fixture
def report(tmp_path):
    def write(*runs, **changes):
        path = tmp_path / "report.json"
        path.write_text(json.dumps({**REPORT, "collectors": list(runs or (run_of(),)), **changes}))
        return path

    return write


def test_what_was_rehearsed_may_run_in_another_network_with_other_passwords(report):
    production = CollectorConfig(
        cidr="127.0.0.0/24", max_rate=500, credentials=(Credential(engine="snmp", password="secret"),)
    )
    reported = require_rehearsal(report(), "snmp", production, IMAGE)
    assert "as rehearsed in session c386e49b" in reported


@pytest.mark.parametrize(
    ("config", "image_id", "complaint"),
    [
        (
            {"profile": "full"},
            IMAGE,
            "another configuration of snmp.*profile full, max rate 500, credentials snmp:-",
        ),
        ({"max_rate": None}, IMAGE, "another configuration"),
        ({"credentials": ()}, IMAGE, "another configuration.*credentials none"),
        (
            {},
            f"sha256:{'2' * 64}",
            "another image: discovery/test-collector-snmp:1.0 with the ID sha256:1111",
        ),
        ({}, None, "the image of this run is not known.*--image-id or in DISCOVERY_IMAGE_ID"),
    ],
)
def test_nothing_but_the_image_and_configuration_of_the_report_may_run(report, config, image_id, complaint):
    with pytest.raises(NotRehearsedError, match=complaint):
        require_rehearsal(report(), "snmp", REHEARSED.model_copy(update=config), image_id)


@pytest.mark.parametrize(
    ("runs", "changes", "complaint"),
    [
        ([run_of("web"), run_of("network")], {}, r"about other collectors \(network, web\), not about snmp"),
        ([run_of(complete=False)], {}, "the run of snmp is not complete"),
        ([run_of(config_digest=None)], {}, "has no configuration digest"),
        ([], {"verdict": {"passed": False, "results": []}}, "has the verdict failed"),
        ([], {"collectors": "none"}, "not a report of a dry-run: collectors"),
        ([run_of(image_id=5)], {}, r"not a report of a dry-run: collectors\.0\.image_id"),
        ([], {"version": 1}, r"version 1 of the format.*reads version 2; update"),
    ],
)
def test_a_report_that_allows_nothing_is_refused_with_its_reason(report, runs, changes, complaint):
    with pytest.raises(NotRehearsedError, match=complaint):
        require_rehearsal(report(*runs, **changes), "snmp", REHEARSED, IMAGE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"harmed": [HARM]}, "no verdict, and targets were harmed: plc$"),
        ({"logs": None}, "no verdict, and what it did to the targets beyond their death was not measured$"),
        (
            {
                "harmed": [HARM],
                "logs": {"plc": {"counts": {}, "side_effects": {"restarts": 2}, "lines": 9}},
            },
            "targets were harmed: plc; restarts: 2$",
        ),
        (
            {"logs": {"plc": {"counts": {}, "side_effects": {"restarts": 0}, "lines": 9, "truncated": True}}},
            "restarts: not known, a log was not searched to its end$",
        ),
    ],
)
def test_without_a_verdict_a_rehearsal_that_may_have_done_harm_admits_nothing(report, changes, said):
    with pytest.raises(NotRehearsedError, match=said):
        require_rehearsal(report(**changes), "snmp", REHEARSED, IMAGE)
    passed = {"passed": True, "results": []}
    assert require_rehearsal(report(**changes, verdict=passed), "snmp", REHEARSED, IMAGE)


def test_of_several_runs_the_last_one_counts(report):
    path = report(run_of(complete=False), run_of())
    assert require_rehearsal(path, "snmp", REHEARSED, IMAGE)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"session":', "[" * 100_000])
def test_what_is_no_report_is_refused(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(NotRehearsedError, match=r"report\.json"):
        require_rehearsal(path, "snmp", REHEARSED, IMAGE)


def test_a_missing_report_is_named(tmp_path):
    with pytest.raises(
        NotRehearsedError, match=r"^cannot read the report \S+/none.json: No such file or directory$"
    ):
        require_rehearsal(tmp_path / "none.json", "snmp", REHEARSED, IMAGE)


def test_by_hand_and_by_configuration_a_run_is_held_to_its_rehearsal(report, tmp_path):
    path, found, logins = report(), tmp_path / "found.ndjson", tmp_path / "logins.json"
    found.write_text("")
    logins.write_text(
        '[{"engine": "snmp", "password": "p", "at": ["192.0.2.7"]}, {"engine": "redis", "password": "p"}]'
    )
    words = ["snmp", "--targets", "127.0.0.0/24", "--from", str(found), "--credentials", str(logins)]
    words += ["--rehearsed", str(path)]
    command = read_command([*words, "--max-rate", "500", "--image-id", IMAGE], {})
    # A login for others changes nothing.
    assert command.notes[0] == "the collector snmp has no use for credentials of redis; it uses snmp"
    assert [login.engine for login in command.assignment.credentials] == ["snmp"]
    assert "as rehearsed" in command.notes[1]
    with pytest.raises(NotRehearsedError, match="another configuration"):
        read_command([*words, "--max-rate", "501", "--image-id", IMAGE], {})
    environ = to_environment(REHEARSED) | {"DISCOVERY_IMAGE_ID": IMAGE}
    assert "as rehearsed" in read_command(["run", "snmp", "--rehearsed", str(path)], environ).notes[0]


def test_a_run_that_was_not_rehearsed_ends_with_2_before_its_first_line(report):
    words = ["network", "--targets", "127.0.0.0/24", "--rehearsed", str(report())]
    command = [sys.executable, "-m", "discovery_collectors", *words]
    done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "about other collectors (snmp), not about network" in done.stderr
