"""80 columns: messages are wrapped between words, and tables cut neither ids nor figures."""

import re

from dryrun_cli.drawing.wrapping import wrapped

SIZE = (40, 80)


def lines(output):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).splitlines()


def test_an_error_is_wrapped_between_words_and_its_command_stays_whole(on_terminal, run):
    code, output = on_terminal("show", "nothing", size=SIZE)
    first, second, *_ = lines(output)
    assert (code, second) == (2, "       (see: dryrun list)")
    assert first.startswith("error: 'nothing' is not a session id; give an id, ")
    assert len(first) <= 80
    assert len(run("show", "nothing")[2].splitlines()) == 1, "in a pipe a message is one line"


def test_a_usage_error_is_wrapped_between_words(on_terminal, run):
    wrong = ("start", "small", "--profile", "thorough-and-slower-than-others")
    code, output = on_terminal(*wrong, size=SIZE)
    usage, hint, blank, first, *further = lines(output)
    assert (code, usage[:19], hint[:3], blank) == (2, "Usage: dryrun start", "Try", "")
    assert first.startswith("Error: Invalid value for '--profile': ")
    assert max(map(len, (first, *further))) <= 80
    assert all(line.startswith("       ") for line in further)
    message = " ".join(line.strip() for line in (first, *further))
    assert run(*wrong)[2].splitlines()[3:] == [message], "in a pipe a message is one line"


def test_without_any_width_every_word_has_a_line():
    assert wrapped("error: no session", 0, 2) == ["error:", "  no", "  session"]


def test_a_list_of_experiments_cuts_no_id_and_no_figure(run, api, tmp_path):
    file = tmp_path / "nightly-comparison-of-all-scanners.yml"
    file.write_text("templates: [small]\n")
    run("experiment", "run", file, "--no-watch")
    _, out, _ = run("experiment", "list", COLUMNS="80", TZ="UTC")
    [experiment] = api.experiments
    head, row, *_ = out.splitlines()
    assert row.startswith(experiment[:8])
    assert "…" not in out
    assert max(map(len, (head, row))) <= 80
    assert head.split() == ["ID", "NAME", "STATE", "SESSIONS", "SERVICES", "STARTED", "(UTC)", "BY"]


def test_a_trend_cuts_no_figure(run, api):
    at = {"line": "network, database at 500/s", "images": {"network": "sha256:" + "a" * 64}, "whole": True}
    figures = {"recall": 0.9, "precision": 1.0, "harmed": 0, "seconds": 75.0, "packets": 12345}
    measured = {name: {"value": value, "low": None, "high": None} for name, value in figures.items()}
    api.trend = [{"at": f"2026-11-0{day}T02:30:00Z", "measured": measured, **at} for day in (1, 2)]
    _, out, _ = run("trend", "small", COLUMNS="80")
    assert ("…" in out, "CHANGED" in out) == (False, False)
    assert out.splitlines()[1].startswith("2026-11-02 02:30")
    api.trend[1] = {**api.trend[1], "images": {"network": "sha256:" + "b" * 64}}
    _, out, _ = run("trend", "small", COLUMNS="80")
    assert ("…" in out, "CHANGED" in out, "12,345" in out, "1m 15s" in out) == (False, True, True, True)
    assert max(map(len, out.splitlines())) <= 80
    both = {"network": "sha256:" + "c" * 64, "database": "sha256:" + "d" * 64}
    api.trend[0] = {**api.trend[0], "images": {**both, "network": "sha256:" + "a" * 64}}
    api.trend[1] = {**api.trend[1], "images": {**both, "database": "sha256:" + "e" * 64}}
    _, out, _ = run("trend", "small", COLUMNS="80")
    assert ("2026-11-02" in out, max(map(len, out.splitlines())) <= 80) == (True, True)


def test_a_list_of_discoveries_cuts_no_key_to_decide_on(run, api):
    key = "192.0.2.200:5432/tcp/warehouse/public/customers"
    seen = {"collector": "database", "last_seen_at": "2026-11-24T02:31:00Z"}
    state = {"change": "returned", "status": "approved", "kind": "certificate"}
    api.production = [{"id": 1234567, "revision": 12, "key": key, **state, **seen}]
    _, out, _ = run("production", "list", "--all", COLUMNS="80")
    head, *rows = out.splitlines()
    start, end = head.index("KEY"), head.index("COLLECTOR")
    assert ("…" in out, rows[0].split()[0]) == (False, "1234567:12")
    assert "".join(row[start:end].strip() for row in rows) == key


def test_a_list_of_sessions_cuts_nothing(run, api):
    reason = "the engine answered 403: the network has active endpoints, and its driver says so again"
    api.add_session(
        "custom-db-heavy",
        phase="cleaning_up",
        requested_by="program:nightly",
        requested_at="2026-11-29T17:10:00Z",
        ended_at="2026-11-29T17:35:17Z",
        reason=reason,
        keep=True,
        seed=1000,
    )
    for columns in (60, 79, 80, 100, 110, 126, 140, 200):
        _, out, _ = run("list", COLUMNS=str(columns))
        head, first, *_ = out.splitlines()
        assert ("25m 17s" in first, "2026-11-29 17:10  25m 17s" in first) == (True, columns >= 80)
        assert ("…" in out, max(map(len, out.splitlines())) <= columns) == (False, True)
        start = head.index("TEMPLATE")
        rows = [row[start : head.index("STATE")].strip() for row in out.splitlines()[1:]]
        assert "".join(rows).replace(" ", "") == "custom-db-heavyseed1000(keep)"
        if columns >= 110:
            whole = " ".join(row[head.index("REASON") :].strip() for row in out.splitlines()[1:])
            assert whole.strip() == reason
