"""The command before anything is started: every fault of every file, and the exit codes."""

import json

import pytest
from typer.testing import CliRunner

from dryrun_local.main import app


@pytest.fixture
def ci(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRYRUN_STATE", str(tmp_path / "state"))

    def run(*options):
        files = ("--experiment", "bench.yml", "--baseline", "baseline.json", "--junit", "out/report.xml")
        return CliRunner().invoke(app, ["ci", *files, "--json", "out.json", *options], env={"COLUMNS": "300"})

    return run


TEN_MISTAKES = """
name: "a\\u001bb"
templates: [Small, ../etc]
seeds: [1, 10000, two]
repetitions: 51
collectors: {"<b>": [network], ours: []}
profiles: [loud]
rates: [0]
image: evil
"""


def test_ten_mistakes_in_two_files_are_told_at_once_and_nothing_starts(ci, tmp_path):
    (tmp_path / "bench.yml").write_text(TEN_MISTAKES)
    (tmp_path / "criteria.yml").write_text("- a list\n")
    (tmp_path / "baseline.json").write_text('{"format": "dryrun-baseline", "version": 9}')
    done = ci("--criteria", "criteria.yml")
    assert done.exit_code == 2, done.output
    for place in (
        "name: ",
        "templates.0: ",
        "templates.1: ",
        "seeds.1: ",
        "seeds.2: ",
        "repetitions: ",
        "collectors.<b>.[key]: ",
        "collectors.ours: ",
        "profiles.0: ",
        "rates.0: ",
        "image: ",
        "baseline.json is no baseline:",
        "version: ",
        "arms: ",
        "criteria.yml has no criteria",
    ):
        assert place in done.output, done.output
    assert not (tmp_path / "state").exists(), "nothing was started"
    assert json.loads((tmp_path / "out.json").read_text())["state"] == "not_measured"
    assert "is no baseline" in (tmp_path / "out" / "report.xml").read_text(), "the pipeline shows why"


def test_a_baseline_that_is_missing_says_how_to_make_one(ci, tmp_path):
    (tmp_path / "bench.yml").write_text("templates: [small]\n")
    done = ci()
    assert done.exit_code == 2
    assert "there is no baseline baseline.json" in done.output
    assert "--update-baseline" in done.output


def test_a_template_that_is_not_there_is_named_with_those_that_are(ci, tmp_path):
    (tmp_path / "bench.yml").write_text("templates: [smal]\n")
    done = ci("--update-baseline")
    assert done.exit_code == 3
    assert "there is no template smal; there are" in done.output
    assert "small" in done.output


def test_without_an_engine_it_could_not_be_measured_which_is_no_regression(ci, tmp_path, monkeypatch):
    (tmp_path / "bench.yml").write_text("templates: [small]\n")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    done = ci("--update-baseline")
    assert done.exit_code == 3, done.output
    assert "dryrun-local doctor" in done.output
    assert not (tmp_path / "baseline.json").exists()
