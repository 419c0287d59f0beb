"""The record of a campaign: continued, merged, and honest about what proves nothing."""

import pytest
from record import Record, Round, bare, summary


def _round(number: int, *, seed: int = 7, **fields: object) -> Round:
    values: dict[str, object] = {
        "made": ["kill api", "freeze guard"],
        "unmade": {},
        "outcomes": ["completed", "failed"],
        "reasons": [],
        "breaches": [],
    }
    return Round(seed, number, **(values | fields))  # type: ignore[arg-type]  # of a round's fields


def test_a_later_run_goes_on_where_an_earlier_one_stopped(tmp_path):
    path = tmp_path / "rounds.ndjson"
    first = Record.read(path)
    assert first.claim(7) == 1
    first.add(_round(1))
    again = Record.read(path)
    assert again.faults == 2
    assert again.claim(7) == 2
    assert again.claim(8) == 1


def test_two_runs_at_once_play_different_rounds(tmp_path):
    path = tmp_path / "rounds.ndjson"
    one, other = Record.read(path), Record.read(path)
    assert (one.claim(7), other.claim(7), one.claim(7)) == (1, 2, 3)


def test_a_round_that_was_cut_off_counts_as_nothing_and_is_named(tmp_path):
    path = tmp_path / "rounds.ndjson"
    Record.read(path).claim(7)
    later = Record.read(path)
    assert later.faults == 0
    assert later.claim(7) == 2
    assert "begun, no result: seed 7, round 1" in summary(later)


def test_files_are_merged_by_appending_one_to_the_other(tmp_path):
    for seed in (7, 8):
        record = Record.read(tmp_path / f"{seed}")
        record.claim(seed)
        record.add(_round(1, seed=seed))
    both = tmp_path / "both"
    both.write_text("".join((tmp_path / name).read_text() for name in ("7", "8", "8")))
    merged = Record.read(both)
    assert merged.faults == 4
    assert summary(merged).startswith("Seeds 7, 8: 4 faults in 2 rounds, 4 sessions (2 completed, 2 failed")


def test_what_was_not_injected_or_not_put_right_is_no_fault():
    record = Record()
    record.add(_round(1, made=["kill api"], unmade={"freeze guard": "nothing stood"}))
    record.add(_round(2, void="kill postgres went wrong", breaches=["not counted"]))
    assert record.faults == 1
    said = summary(record)
    assert "1 x not injected, not counted: freeze guard: nothing stood" in said
    assert "void: seed 7, round 2: kill postgres went wrong" in said
    assert "| kill api | 1 | 1 | 1 | - | - | - |" in said
    assert said.endswith("breaches: 0")


def test_a_breach_stands_in_the_row_of_every_fault_of_its_round():
    record = Record()
    record.add(_round(1, breaches=["a container is left"]))
    said = summary(record)
    assert "| freeze guard | 1 | 1 | 1 | - | - | 1 |" in said
    assert said.endswith("breaches: 1\n  a container is left")


def test_a_line_that_is_no_round_is_refused_with_its_number(tmp_path):
    path = tmp_path / "rounds.ndjson"
    path.write_text('{"seed": 7, "number": 1, "begun": true}\n{"seed": 7}\n')
    with pytest.raises(ValueError, match="line 2 is no round of a campaign: 'number'"):
        Record.read(path)


def test_of_a_round_that_is_played_again_the_latest_counts_and_the_breach_is_named(tmp_path):
    path = tmp_path / "rounds.ndjson"
    record = Record.read(path)
    record.claim(7)
    record.add(_round(1, breaches=["a container is left"]))
    record.add(_round(1))
    for known in (record, Record.read(path)):
        assert known.faults == 2
        said = summary(known)
        assert "| kill api | 1 | 1 | 1 | - | - | - |" in said
        assert "played again after: seed 7, round 1: a container is left" in said
        assert said.endswith("breaches: 0")
    record.add(_round(1, breaches=["a container is left"]))
    assert "played again" not in summary(record)


def test_what_is_of_one_run_on_one_machine_is_not_recorded():
    said = bare(
        "left in the engine: container 4be1ba2d0c1e of 0b0e7a4c-7e0e-4a4b-9d0a-5c1f3a3f7f11, see "
        "/tmp/dc-x1/logs/api.log; HTTP/1.1 503 after 12.5 s from 10.213.96.7:2376, /readyz"
    )
    assert said == "left in the engine: container # of #, see #; HTTP/# # after # s from #, /readyz"
    assert bare("run at unix:///tmp/dc-x1/guard.sock") == "run at unix://#"
