import json
import tracemalloc

import pytest
from ended_session import SESSION

from dryrun_contract.report import Report
from dryrun_contract.report_reading import REPORT_BOUNDS, UnreadableReportError, read_report, to_report


def document(**changes):
    return {
        "version": 2,
        "final": True,
        "scan_over": True,
        "session": SESSION,
        "verdict": None,
        "scores": None,
        "scores_missing": "no collector has run",
        "harmed": [],
        "phases": [],
        "traffic": None,
        "collectors": [],
        "images": [],
        "template": {"id": "small", "title": None, "digest": "sha256:1", "seed": 0},
        "isolation": None,
        "history_complete": True,
        **changes,
    }


def text(**changes):
    return json.dumps(document(**changes)).encode()


def test_a_report_survives_being_written_and_read():
    report = read_report(text())
    assert report == to_report(document())
    assert read_report(report.model_dump_json().encode()) == report


def test_fields_of_a_newer_program_are_ignored():
    newer = text(mood="good", session=SESSION | {"mood": "good"})
    assert read_report(newer) == read_report(text())


@pytest.mark.parametrize("version", [0, 1, 99])
def test_another_version_is_refused_with_both_numbers_and_the_next_step(version):
    # What else such a document has is of no interest: the version is the reason.
    with pytest.raises(UnreadableReportError, match=rf"version {version} .*reads version 2; update"):
        read_report(text(version=version, collectors="renamed"))


@pytest.mark.parametrize("version", ["9" * 4200, f'"{"x" * 4200}"', -1])
def test_a_version_is_never_repeated_at_length(version):
    with pytest.raises(UnreadableReportError, match="not a report of a dry-run: version") as refused:
        read_report(text().replace(b'"version": 2', f'"version": {version}'.encode()))
    assert len(str(refused.value)) < 200


def test_a_document_of_nothing_but_faults_is_refused_in_bounded_memory():
    faults = 200_000
    tracemalloc.start()
    with pytest.raises(UnreadableReportError, match=r"not a report of a dry-run: 200,\d{3} values"):
        read_report(b'{"version":2,"collectors":[' + b"0," * (faults - 1) + b"0]}")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * 1024 * 1024


def test_a_document_without_a_version_is_no_report():
    without = {name: value for name, value in document().items() if name != "version"}
    with pytest.raises(UnreadableReportError, match="not a report of a dry-run: version"):
        to_report(without)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"session": {**SESSION, "id": "x"}}, r"session\.id"),
        ({"collectors": [{}]}, r"collectors\.0\.collector"),
        ({"history_complete": None}, "history_complete"),
    ],
)
def test_a_document_that_does_not_fit_is_refused_with_the_place(changes, place):
    with pytest.raises(UnreadableReportError, match=f"not a report of a dry-run: {place}: "):
        read_report(text(**changes))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"nothing"])
def test_what_is_not_json_is_refused_with_the_command_that_writes_a_report(content):
    with pytest.raises(UnreadableReportError, match=r"not JSON .*--format json"):
        read_report(content)


@pytest.mark.parametrize(
    ("content", "ceiling"),
    [
        (b"[" * 100_000, "nested deeper than 32"),
        (b"[" + b"0," * REPORT_BOUNDS.values + b"0]", "more than 4000000 values"),
        (b" " * (REPORT_BOUNDS.size + 1), "longer than"),
        (b'{"' + b"k" * 5000 + b'":1}', "object key"),
    ],
    ids=["depth", "values", "size", "key"],
)
def test_a_report_is_measured_before_it_is_parsed(content, ceiling, monkeypatch):
    monkeypatch.delattr("dryrun_contract.report_reading._Head")
    monkeypatch.delattr("dryrun_contract.report_reading.Report")
    with pytest.raises(UnreadableReportError, match=ceiling):
        read_report(content)


def test_the_version_of_a_report_is_not_optional():
    assert Report.model_fields["version"].is_required()
