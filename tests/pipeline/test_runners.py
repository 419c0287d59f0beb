"""`docs/ci.md`, followed to the letter on both runners: green, and red once the scanner was made worse."""

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from local_stack import ROOT
from lxml import etree
from pipelines import run_github_action, run_gitlab_job

GUIDE = ROOT / "docs" / "ci.md"
FILE = re.compile(r"^`(?P<path>\S+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
IMAGE = "discovery/test-collector-knock:1.0"
GIVEN = {"experiment": "bench.yml", "baseline": "baseline.json", "add": "scanners"}


@pytest.fixture
def project(tmp_path):
    """A folder with the guide's files and nothing else."""
    project = tmp_path / "job" / "project"
    for found in FILE.finditer(GUIDE.read_text(encoding="utf-8")):
        path = project / found["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found["text"], encoding="utf-8")
    return project


@pytest.fixture
def environ(docker):
    """A state of its own, in a folder of a short name: sockets have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="dt-"))
    shutil.copy2(ROOT / ".dryrun" / "allowlist.json", folder)
    passed_on = {name: os.environ[name] for name in ("DOCKER_HOST", "TMPDIR") if name in os.environ}
    yield {"DRYRUN_LOCAL_STATE": str(folder), **passed_on}
    shutil.rmtree(folder)
    docker("image", "rm", "--force", IMAGE)


def edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def red_tests(path):
    return [case.get("name") for case in etree.parse(path).xpath("//testcase[failure]")]


@pytest.mark.engine
@pytest.mark.long(250)
@pytest.mark.timeout(900)
def test_a_scanner_that_was_made_worse_is_red_on_both_runners(project, environ):
    made = run_github_action(project, {**GIVEN, "cache": "false", "update-baseline": "true"}, environ)
    assert made.code == 0, made.log
    edit(project / "bench.yml", "repetitions: 4", "repetitions: 3")
    scanner = project / "scanners" / "images" / "collector-knock" / "knock.py"

    green = run_github_action(project, {**GIVEN, "cache": "false"}, environ)
    assert (green.code, green.outputs["rehearse"]["result"]) == (0, "passed"), green.log
    assert green.summary.startswith("## ✅ Passed: nothing was lost")
    assert red_tests(project / "dryrun-junit.xml") == []
    gitlab = {**GIVEN, "home": str(ROOT), "cache": "false"}
    passed = run_gitlab_job(project, gitlab, environ)
    assert (passed.code, red_tests(project / "dryrun-junit.xml")) == (0, []), passed.log

    edit(scanner, "(22, 80, 6379)", "(22, 80)")
    red = run_github_action(project, {**GIVEN, "cache": "false"}, environ)
    assert (red.code, red.outputs["rehearse"]["result"]) == (1, "regressed"), red.log
    # With its only service a scanner of ports loses the host too.
    lost = ["host queues", "service queues:6379/tcp"]
    assert red_tests(project / "dryrun-junit.xml") == lost
    assert "| `office` | `service queues:6379/tcp` |" in red.summary
    assert "::error title=service queues%3A6379/tcp (knock)::lost on office: found in 0 of 3 runs" in red.log

    again = run_gitlab_job(project, gitlab, environ)
    assert (again.code, red_tests(project / "dryrun-junit.xml")) == (1, lost), again.log
    if folder := os.environ.get("DRYRUN_KEEP"):
        Path(folder, "runners.log").write_text(
            "\n\n".join(each.log for each in (made, green, passed, red, again))
        )
        Path(folder, "summary.md").write_text(red.summary)
        shutil.copy2(project / "baseline.json", folder)
