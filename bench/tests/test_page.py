from pathlib import Path

import pytest
from bench.__main__ import ALONE
from bench.__main__ import _kept as kept
from bench.__main__ import _with as with_part
from bench.results import Machine, Run

ROOT = Path(__file__).resolve().parents[2]
writing = pytest.importorskip(
    "bench.page.writing", reason="make bench installs what draws", exc_type=ImportError
)


ELSEWHERE = Machine(processors=1, model="a processor", memory_gib=8, kernel="6.12", engine="26.1.5")


def stored():
    return Run.model_validate_json((ROOT / "bench" / "results" / "latest.json").read_text())


def test_the_page_is_what_the_stored_measurements_give(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    assert writing.page(stored(), tmp_path / "benchmarks") == (ROOT / "docs" / "benchmarks.md").read_text()


def test_every_plot_of_the_page_is_there_and_no_other(tmp_path):
    writing.write(stored(), tmp_path)
    drawn = {path.name for path in (tmp_path / "benchmarks").iterdir()}
    assert drawn == {path.name for path in (ROOT / "docs" / "benchmarks").glob("*")}


def test_a_part_of_another_machine_says_so_and_the_others_stay(tmp_path):
    run = stored()
    part = run.parts[0].model_copy(update={"machine": None})
    joined = with_part(run, part.part, part, ELSEWHERE)
    assert [each.part for each in joined.parts] == [each.part for each in run.parts]
    assert joined.parts[0].machine == ELSEWHERE
    assert with_part(run, part.part, part, run.machine).parts[0].machine is None
    (tmp_path / "benchmarks").mkdir()
    page = writing.page(joined, tmp_path / "benchmarks")
    assert "on another machine (1 processors (a processor), 8 GiB, Linux 6.12, Docker Engine 26.1.5)" in page


def test_a_run_of_all_parts_keeps_those_that_run_when_named_and_says_where_they_ran():
    run = stored()
    named = [part.part for part in run.parts if part.part in ALONE]
    assert named
    assert [part.part for part in kept(run, ELSEWHERE)] == named
    assert {part.machine for part in kept(run, ELSEWHERE)} == {
        part.machine or run.machine for part in run.parts if part.part in ALONE
    }
    unmarked = run.model_copy(
        update={"parts": [part.model_copy(update={"machine": None}) for part in run.parts]}
    )
    assert {part.machine for part in kept(unmarked, run.machine)} == {None}


def test_work_beside_the_run_is_told_from_the_load_of_its_own_parts(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    for load, said in (
        (0.1, "Load average before the first part: 0.1.\n"),
        (7.5, "before the first part: 7.5: **other work ran beside it**"),
    ):
        parts = [part.model_copy(update={"load": (30.0, 30.0)}) for part in stored().parts]
        run = stored().model_copy(update={"load": load, "parts": parts})
        assert said in writing.page(run, tmp_path / "benchmarks")


def test_a_part_that_failed_says_so_on_the_page(tmp_path):
    run = stored().model_copy(update={"failed": {"scan": "TimeoutError: it took too long"}})
    (tmp_path / "benchmarks").mkdir()
    assert "## Not measured: scan\n\nTimeoutError: it took too long" in writing.page(
        run, tmp_path / "benchmarks"
    )
