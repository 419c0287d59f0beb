"""The steps of the pipelines with a stand-in for `dryrun-local`: what it is called with, and what follows."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from pipelines import ACTION, TEMPLATE, run_github_action, run_gitlab_job

STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, sys
here = pathlib.Path(__file__).parents[2]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
options = sys.argv[1:]
if options[0] == "ci":
    pathlib.Path(options[options.index("--summary") + 1]).write_text("## a summary\\n")
    sys.exit(int((here / "code").read_text()))
if options[:2] == ["images", "export"]:
    pathlib.Path(options[2]).write_text("images")
"""
INJECTION = "a'b\"; touch pwned; $(touch pwned) `touch pwned` ${HOME}"


@pytest.fixture
def home(tmp_path):
    """A checkout whose programs only note their calls."""
    home = tmp_path / "home"
    for path, text in (
        ("ci/github/action.yml", ""),
        ("setup/setup", "#!/bin/sh\n"),
        (".venv/bin/dryrun-local", STAND_IN),
        ("code", "0"),
        ("images/base/image.yml", ""),
        ("contract/src/x.py", ""),
        ("collectors/src/x.py", ""),
        ("requirements/x.txt", ""),
    ):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
        (home / path).chmod(0o755)
    return home


@pytest.fixture
def project(tmp_path):
    project = tmp_path / "job" / "project"
    project.mkdir(parents=True)
    (project / "bench.yml").write_text("templates: [small]\n")
    return project


def calls(home):
    return [json.loads(line) for line in (home / "calls").read_text().splitlines()]


FILES = {"experiment": "bench.yml", "baseline": "baseline.json"}


def test_github_passes_the_inputs_on_and_keeps_the_images(home, project):
    (project / "scanner" / "images").mkdir(parents=True)
    given = {**FILES, "add": "scanner\nmore scanners\n", "criteria": "criteria.yml"}
    ran = run_github_action(project, given, {}, home)
    assert ran.code == 0, ran.log
    assert ran.outputs["rehearse"]["result"] == "passed"
    assert ran.summary == "## a summary\n"
    ci, export = calls(home)
    assert ci == [
        *("ci", "--experiment", "bench.yml", "--baseline", "baseline.json", "--junit", "dryrun-junit.xml"),
        *("--summary", ".dryrun-summary.md", "--json", "dryrun.json"),
        *("--add", "scanner", "--add", "more scanners", "--criteria", "criteria.yml"),
    ]
    assert export[:5] == ["images", "export", ".dryrun-images.tar", "--experiment", "bench.yml"]
    restore, save = ran.used
    assert restore["key"] == save["key"] != "dryrun-images-"


@pytest.mark.parametrize(("code", "result"), [(1, "regressed"), (2, "wrong_use"), (3, "not_measured")])
def test_github_fails_with_the_code_and_says_why(home, project, code, result):
    (home / "code").write_text(str(code))
    ran = run_github_action(project, FILES, {}, home)
    assert (ran.code, ran.outputs["rehearse"]["result"]) == (code, result)
    assert ran.summary == "## a summary\n", "also of a run that failed"
    assert calls(home)[-1][:2] == ["images", "export"], "the next run starts from the cache"


def test_github_uses_what_the_cache_brought(home, project):
    (project / ".dryrun-images.tar").write_text("images")
    run_github_action(project, {**FILES, "add": "scanner"}, {}, home)
    assert calls(home)[0] == ["images", "import", ".dryrun-images.tar", "--add", "scanner"]
    (home / "calls").unlink()
    ran = run_github_action(project, {**FILES, "cache": "false"}, {}, home)
    assert [call[0] for call in calls(home)][-1] == "ci"
    assert ran.used == []


def test_a_changed_image_changes_the_key_of_the_cache(home, project):
    def key():
        return run_github_action(project, {**FILES, "add": "scanner"}, {}, home).used[0]["key"]

    first = key()
    assert key() == first
    (project / "scanner" / "images").mkdir(parents=True)
    (project / "scanner" / "images" / "Dockerfile").write_text("FROM x")
    second = key()
    (home / "images" / "base" / "image.yml").write_text("changed")
    assert len({first, second, key()}) == 3


@pytest.mark.parametrize("name", ["experiment", "baseline", "criteria", "add", "junit", "json"])
def test_no_input_of_github_becomes_a_command(home, project, name):
    (project / INJECTION).mkdir()
    run_github_action(project, {**FILES, name: INJECTION}, {}, home)
    found = [path.name for path in project.parent.rglob("pwned")]
    assert found == []
    assert any(INJECTION in call for call in calls(home))


def test_no_script_of_github_holds_an_expression():
    for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_gitlab_passes_the_inputs_on_and_fails_with_the_code(home, project):
    (home / "code").write_text("1")
    given = {**FILES, "home": str(home), "add": "scanner:more scanners", "criteria": "criteria.yml"}
    ran = run_gitlab_job(project, given, {})
    assert ran.code == 1, ran.log
    ci, export = calls(home)
    assert ci == [
        *("ci", "--experiment", "bench.yml", "--baseline", "baseline.json", "--junit", "dryrun-junit.xml"),
        *("--summary", "dryrun-summary.md", "--json", "dryrun.json"),
        *("--add", "scanner", "--add", "more scanners", "--criteria", "criteria.yml"),
    ]
    assert export[:3] == ["images", "export", ".dryrun-images.tar"]
    (home / "calls").unlink()
    (home / "code").write_text("0")
    assert run_gitlab_job(project, {**FILES, "home": str(home), "update-baseline": "true"}, {}).code == 0
    imported, ci, _ = calls(home)
    assert imported[:2] == ["images", "import"]
    assert ci[-1] == "--update-baseline"


@pytest.mark.parametrize("name", ["experiment", "baseline", "criteria", "add"])
def test_no_input_of_gitlab_becomes_a_command(home, project, name):
    run_gitlab_job(project, {**FILES, "home": str(home), name: INJECTION}, {})
    assert list(project.parent.rglob("pwned")) == []
    # Colons divide folders.
    assert any(INJECTION in call for call in calls(home))


def test_no_script_of_gitlab_holds_an_input():
    _, body = yaml.safe_load_all(TEMPLATE.read_text())
    assert "$[[" not in "".join(body["dryrun"]["script"])
    assert Path(body["dryrun"]["artifacts"]["reports"]["junit"]).name == "dryrun-junit.xml"
