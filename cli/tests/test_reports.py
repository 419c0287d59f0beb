import json
import stat
from pathlib import Path

import pytest
from recorded_report import small_report
from recorded_session import HOSTILE
from terminal_text import steering


@pytest.fixture
def session(api):
    return api.add_session()


def test_the_report_says_what_was_found_missed_and_wrong(run, session):
    code, stdout, _ = run("report", "last")
    assert code == 0
    assert "Report of" in stdout
    service = next(line for line in stdout.splitlines() if line.startswith("service"))
    assert service.split() == ["service", "6", "1", "0", "0", "1.00", "0.86", "0.92"]
    assert "web:18734/tcp" in stdout
    assert "(hard: unusual port)" in stdout
    assert "MongoDB for nx-27017" in stdout
    assert "No target was harmed." in stdout
    assert "✗ Side effects: pages printed: 3; restarts: at least 0; credentials shown: not measured" in stdout
    assert "peak 950 packets/s" in stdout


def test_the_report_says_what_was_chosen_for_the_scan(run, api, session):
    assert "Chosen for the scan" not in run("report", "last")[1]
    api.add_session(scan={"collectors": [], "profile": None, "max_rate": 2500})
    assert "Chosen for the scan: at most 2,500 packets/s from each collector" in run("report", "last")[1]


def test_no_score_is_cut_in_a_terminal_of_80_columns(run, session):
    table = run("report", session["id"], COLUMNS="80")[1].partition("\n\n")[2].partition("\n\n")[0]
    for heading in ("DISCOVERED", "found", "missed", "false pos.", "not eval.", "precision", "recall", "F1"):
        assert heading in table
    assert "…" not in table


def test_markdown_is_that_of_the_server(run, session):
    _, stdout, _ = run("report", "last", "--format", "markdown")
    assert stdout.startswith("# Dry-run report\n\nTemplate small\n")


@pytest.mark.parametrize(("form", "begin"), [("html", "<!doctype html>"), ("csv", '"judgement","kind"')])
def test_html_and_csv_are_those_of_the_server(run, session, form, begin):
    code, stdout, _ = run("report", "last", "--format", form)
    assert code == 0
    assert stdout.startswith(begin)
    assert steering(stdout) == []


def test_a_forecast_can_be_requested_in_every_form(run, api, session):
    question = ("--forecast-hosts", "500", "--forecast-cidr", "10.20.0.0/16")
    assert run("report", "last", "--format", "html", *question)[0] == 0
    assert [(one["forecast_hosts"], one["forecast_cidr"]) for one in api.questions] == [
        ("500", "10.20.0.0/16")
    ]


@pytest.mark.parametrize(("judged", "reports"), [((), 1), (("--judged",), 2)], ids=["as it is", "judged"])
def test_a_form_for_people_is_requested_alone_unless_an_exit_code_follows_from_the_report(
    run, api, session, judged, reports
):
    _, stdout, _ = run("report", "last", "--format", "html", *judged)
    assert stdout.startswith("<!doctype html>")
    assert sum(path.endswith("/report") for _, path in api.requests) == reports


def test_the_report_says_what_the_scan_left_in_logs(run, session):
    _, stdout, _ = run("report", "last")
    assert "the scan left at least 15 lines in the logs of 5 targets" in " ".join(stdout.split())
    assert "errors: 2; failed logins: not measured" in " ".join(stdout.split())


def test_json_is_that_of_the_server(run, session):
    _, stdout, _ = run("report", "last", "--format", "json")
    assert json.loads(stdout)["version"] == 2


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("r.md", "# Dry-run"),
        ("r.json", "{"),
        ("r", "# Dry-run"),
        ("r.html", "<!doctype html>"),
        ("R.CSV", '"judgement"'),
    ],
)
def test_the_name_of_a_file_chooses_its_form(run, session, tmp_path, name, begin):
    path = tmp_path / name
    path.write_text("an older report", encoding="utf-8")
    code, stdout, _ = run("report", "last", "--output", path)
    assert (code, stdout) == (0, "")
    assert path.read_text(encoding="utf-8").startswith(begin)
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_a_name_of_a_form_that_there_is_not_is_refused_unless_the_form_is_given(run, session, tmp_path):
    code, stdout, stderr = run("report", "last", "-o", tmp_path / "r.pdf")
    assert (code, stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert "a report is not written as *.pdf, but as .json, .html, .htm, .csv, .zip or .md; choose" in stderr
    assert run("report", "last", "-o", tmp_path / "r.pdf", "--format", "markdown")[0] == 0
    assert run("report", "last", "-o", tmp_path / "r.txt")[0] == 0


def test_a_device_is_written_and_not_replaced(run, session):
    assert run("report", "last", "-o", "/dev/null")[0] == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_dash_is_standard_output(run, session):
    assert run("report", "last", "-o", "-")[1].startswith("# Dry-run")


def test_a_file_that_cannot_be_written_is_a_usage_error(run, session, tmp_path):
    code, _, stderr = run("report", "last", "-o", tmp_path / "missing" / "r.md")
    assert code == 2
    assert "cannot write" in stderr


def test_a_report_without_scores_says_why(run, api, session):
    from recorded_report import small_report

    report = small_report(session) | {"scores": None, "scores_missing": "the session failed before the scan"}
    api.reports[session["id"]] = report
    code, stdout, _ = run("report", "last")
    assert code == 0
    assert "None: the session failed before the scan" in stdout
    assert "No target was harmed" not in stdout


def test_a_report_of_another_version_is_refused_rather_than_misread(run, api, session):
    from recorded_report import small_report

    api.reports[session["id"]] = small_report(session) | {"version": 3}
    code, _, stderr = run("report", "last")
    assert code == 3
    assert "version" in stderr


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"phases": [{"phase": "scanning", "started_at": HOSTILE, "seconds": 1.0}]}, "phases.0.started_at"),
        ({"collectors": [{"collector": HOSTILE}]}, "collectors.0.run"),
        ({"scores": HOSTILE}, "scores"),
        ({"version": HOSTILE}, "version"),
    ],
)
def test_a_document_that_is_no_report_is_refused_with_the_place_and_inertly(
    run, api, session, changes, place
):
    from recorded_report import small_report

    api.reports[session["id"]] = small_report(session) | changes
    code, stdout, stderr = run("report", "last")
    assert (code, stdout) == (3, "")
    assert place in stderr
    assert steering(stderr) == []


def test_a_report_beyond_its_bounds_is_refused_before_it_is_parsed(run, api, session):
    from recorded_report import small_report

    deep = "x"
    for _ in range(40):
        deep = [deep]
    api.reports[session["id"]] = small_report(session) | {"field_of_a_newer_version": deep}
    code, _, stderr = run("report", "last")
    assert code == 3
    assert "nested deeper than 32" in stderr


def test_criteria_are_printed_as_a_file_to_start_from(run, tmp_path, session):
    code, stdout, _ = run("criteria")
    assert code == 0
    (tmp_path / "criteria.yml").write_text(stdout, encoding="utf-8")
    assert run("report", "last", "--criteria", tmp_path / "criteria.yml")[0] == 0
    assert steering(stdout) == []


def test_long_lists_are_cut_and_the_rest_is_counted(run, api, session):
    from recorded_report import small_report

    report = small_report(session)
    report["scores"]["false_positives"] = [
        {"kind": "host", "key": f"10.0.0.{number}", "data": {}, "collectors": ["network"]}
        for number in range(30)
    ]
    api.reports[session["id"]] = report
    _, stdout, _ = run("report", "last")
    assert "False positives: 30" in stdout
    assert "and 20 more" in stdout


def test_kinds_without_ground_truth_are_counted_and_not_listed(run, api, session):
    from recorded_report import row, small_report

    report = small_report(session)
    report["scores"]["rows"] += [row(f"kind_{number}", 0, wrong=1) for number in range(500)]
    api.reports[session["id"]] = report
    _, stdout, _ = run("report", "last")
    assert "500 other kinds, without ground truth" in stdout
    assert "kind" not in stdout.replace("500 other kinds", "")


def test_the_forecast_is_printed_when_it_is_requested_and_not_otherwise(run, api, session):
    question = ("--forecast-hosts", "500", "--forecast-cidr", "10.20.0.0/16")
    code, stdout, _ = run("report", "last", *question)
    assert code == 0
    assert "Forecast" in stdout
    assert "Forecast" not in run("report", "last")[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--json", "-o", "x.html"), "--json and the name x.html disagree: *.html is html"),
        (("--format", "csv", "-o", "x.json"), "--format csv and the name x.json disagree"),
        (("--json", "--format", "html"), "--json and --format html disagree"),
    ],
)
def test_options_that_disagree_on_the_format_are_refused(run, api, session, options, message):
    code, stdout, stderr = run("report", "last", *options)
    assert (code, stdout) == (2, "")
    assert message in stderr
    assert api.requests == []


def test_long_lists_name_the_command_with_the_sessions_own_id(run, api, session):
    _, stdout, _ = run("report", "last")
    assert f"dryrun report {session['id'][:8]} -o report.html" in stdout
    assert "dryrun report ID" not in stdout


def test_stopping_a_session_that_has_ended_says_so(run, api, session):
    code, stdout, _ = run("stop", "last")
    assert code == 0
    assert stdout == f"Session {session['id']} has already ended (completed).\n"


def test_a_kind_that_no_collector_discovers_is_named_as_not_looked_for(run, api, session):
    report = small_report(session)
    report["scores"]["not_looked_for"] = {"web_app": 12, "dns_zone": 1}
    api.reports[session["id"]] = report
    _, stdout, _ = run("report", "last")
    expected = "Missed because no scored collector looks for it: web app (12), DNS zone (1)"
    assert expected in " ".join(stdout.split())


def test_a_collector_for_comparison_has_a_list_of_its_own(run, api, session):
    report = small_report(session)
    nothing = {"precision": 1.0, "recall": 0.5, "f1": 0.67, "coverage": 1.0}
    missed = {"kind": "service", "key": "web:80/tcp", "attribute": "version", "expected": "1.26"}
    wrong = {"kind": "service", "key": "db:5432/tcp", "attribute": "product", "expected": "PostgreSQL"}
    row = {"name": "title", "kind": "web_app", "attribute": "title", "true_positives": 0}
    counts = {"false_positives": 0, "false_negatives": 2, "not_evaluable": 0}
    shares = {"precision": None, "recall": 0.0, "f1": 0.0}
    report["collectors"][0] |= {"purpose": "comparison"}
    name = report["collectors"][0]["collector"]
    report["collector_scores"] = [
        {
            "collector": name,
            "rows": [],
            "overall": nothing,
            "rows_not_claimed": [row | counts | shares],
            "false_negatives": [missed | {"nearest": None, "collectors": [], "hard": None}],
            "false_positives": [],
            "wrong_values": [wrong | {"found": "MySQL\x1b[2J", "evidence": [], "hard": None}],
        }
    ]
    api.reports[session["id"]] = report
    code, stdout, _ = run("report", "last")
    assert code == 0
    lines = " ".join(stdout.split())
    assert f"{name} alone, for comparison: recall 0.50, precision 1.00, F1 0.67" in lines
    assert "missed service web:80/tcp version expected 1.26" in lines
    assert "wrong service db:5432/tcp product MySQL\\x1b[2J for PostgreSQL" in lines
    assert "not claimed by its manifest, and not counted: web_app title" in lines
    assert steering(stdout) == []


def test_the_list_shows_seed_score_and_verdict_and_names_a_scan_that_was_cut(run, api):
    figures = {"recall": 0.93, "precision": 1.0, "f1": 0.9, "missed": 1, "false_positives": 0, "harmed": 0}
    api.add_session(seed=7, figures=figures | {"cut": False, "passed": True})
    api.add_session(figures=figures | {"cut": True, "passed": False})
    api.add_session("other", figures=None)
    code, stdout, _ = run("list")
    assert code == 0
    lines = [" ".join(line.split()) for line in stdout.splitlines()]
    assert lines[0].startswith("ID TEMPLATE STATE RECALL VERDICT")
    whole = next(line for line in lines if " seed 7 " in line)
    assert "completed 0.93 passed" in whole
    assert any("scan cut 0.93 failed" in line for line in lines)
    assert any("completed - - " in line for line in lines)


def test_the_list_marks_a_session_that_the_api_could_read_only_in_part(run, api):
    why = "another version stored how it scans, which this one cannot read: of_tomorrow: is not known here"
    made = api.add_session(unread=why)
    code, stdout, _ = run("list")
    assert (code, "completed, of another version" in " ".join(stdout.split())) == (0, True)
    code, stdout, _ = run("show", made["id"])
    assert (code, f"unread {why}" in " ".join(stdout.split())) == (0, True)
