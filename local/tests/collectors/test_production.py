"""A production run's command is printed only for what a report shows to have been rehearsed."""

import json
import shlex

import pytest
from ended_session import SESSION

from dryrun_local.collectors.production import NotRehearsedError, production_command
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.catalog.arguments import arguments_digest

IMAGE = f"sha256:{'1' * 64}"
NAME = "discovery/test-collector-theirs:1"
ARGUMENTS = ["--rate={rate}", "--exclude", "{exclude}", "{cidr}"]
MANIFEST = """\
name: theirs
image: discovery/test-collector-theirs:1
summary: A scanner of somebody else's.
provides: [host]
timeout_seconds: 60
arguments: ["--rate={rate}", "--exclude", "{exclude}", "{cidr}"]
max_rate: 500
output: nmap-xml
"""
RUN = {
    "collector": "theirs",
    "run": "1",
    "image": NAME,
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
    "lines": 7,
    "config_digest": arguments_digest(ARGUMENTS, rate=500),
}
REPORT = {
    "version": 2,
    "final": True,
    "scan_over": True,
    "session": SESSION,
    "verdict": None,
    "scores": None,
    "scores_missing": None,
    "harmed": [],
    "logs": {"plc": {"counts": {}, "side_effects": {"restarts": 0}, "lines": 9}},
    "phases": [],
    "traffic": None,
    "images": [],
    "template": {"id": "small", "title": None, "digest": "sha256:2", "seed": 0},
    "isolation": None,
    "history_complete": True,
}

HARM = {"service": "plc", "harm": "died", "during": ["theirs"], "detail": "", "at": "2026-01-31T09:30:00Z"}


@pytest.fixture
def command(tmp_path):
    state = tmp_path / "state"
    (state / "installed" / "manifests").mkdir(parents=True)
    (state / "installed" / "manifests" / "theirs.yml").write_text(MANIFEST)
    row = {
        "id": IMAGE,
        "capabilities": ["NET_RAW"],
        "arguments": [ARGUMENTS],
        "max_rate": 500,
        "tmpfs": {"/tmp": {"size": 4096}},
    }
    (state / "allowlist.json").write_text(json.dumps({"version": 1, "images": {NAME: row}}))
    installation = Installation(tmp_path, state, (tmp_path,))
    path = tmp_path / "report.json"

    def printed(*, changes=None, report=None, **asked):
        runs = [] if changes is None and report == "none" else [RUN | (changes or {})]
        more = report if isinstance(report, dict) else {}
        path.write_text(json.dumps(REPORT | {"collectors": runs} | more))
        wanted = {"targets": "10.213.0.0/27", "exclude": ["10.213.0.1"], "max_rate": None} | asked
        return production_command(installation, "theirs", path, **wanted)

    return printed


def test_the_rehearsed_image_runs_by_its_id_with_the_rehearsed_arguments_and_rights(command):
    assert shlex.split(command()) == [
        *("docker", "run", "--rm", "--network=host", "--cap-drop=ALL", "--cap-add=NET_RAW"),
        *("--security-opt=no-new-privileges", "--read-only", "--tmpfs=/tmp:size=4096,mode=0755", IMAGE),
        *("--rate=500", "--exclude", "10.213.0.1", "10.213.0.0/27"),
    ]


def test_a_lower_rate_is_a_rehearsal_of_that_rate_only(command):
    slower = {"config_digest": arguments_digest(ARGUMENTS, rate=100)}
    assert "--rate=100" in command(changes=slower, max_rate=100)
    with pytest.raises(NotRehearsedError, match="500 packets per second"):
        command(changes=slower)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"report": "none"}, "theirs did not run in it"),
        ({"changes": {"complete": False, "reason": "cut"}}, "is not complete: cut"),
        ({"changes": {"image_id": f"sha256:{'2' * 64}"}}, "was rehearsed, but sha256:"),
        ({"changes": {"config_digest": "sha256:0"}}, "the rehearsed arguments were not ["),
        ({"targets": "10.213.0.1/27"}, "is not an IPv4 network"),
        ({"targets": "$(id)"}, "is not an IPv4 network"),
        ({"exclude": []}, "name at least one address"),
        ({"exclude": ["10.213.1.1"]}, "is outside 10.213.0.0/27"),
        ({"exclude": ["; id"]}, "is not an IPv4 address"),
    ],
)
def test_what_was_not_rehearsed_has_no_command(command, asked, said):
    with pytest.raises(NotRehearsedError) as refused:
        command(**asked)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ({"harmed": [HARM]}, "targets were harmed: plc"),
        ({"logs": None}, "beyond their death was not measured"),
        (
            {"logs": {"plc": {"counts": {}, "side_effects": {"restarts": 2}, "lines": 9}}},
            "restarts: 2",
        ),
        (
            {"logs": {"plc": {"counts": {}, "side_effects": {"restarts": 0}, "lines": 9, "truncated": True}}},
            "restarts: not known",
        ),
    ],
)
def test_without_a_verdict_a_rehearsal_that_may_have_done_harm_has_no_command(command, report, said):
    with pytest.raises(NotRehearsedError, match=said):
        command(report=report)
    passed = {"passed": True, "results": []}
    assert command(report=report | {"verdict": passed})


def test_every_difference_is_said_at_once(command):
    with pytest.raises(NotRehearsedError) as refused:
        command(changes={"complete": False, "image_id": f"sha256:{'2' * 64}"}, targets="x")
    assert len(str(refused.value).splitlines()) == 4
