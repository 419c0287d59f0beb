"""Forecasts and checks on the command line: files are counted here, and results are readable and inert."""

import asyncio
import json
import os
import signal
import time
from threading import Timer

import pytest
from rich.console import Console

from dryrun_cli.commands.production_output import read_outcome
from dryrun_cli.drawing.forecast_view import draw_forecast
from dryrun_cli.drawing.network_forecast_view import draw_quantities
from dryrun_contract.network_forecast import Expected, NetworkForecast, QuantityForecast
from dryrun_contract.report import Forecast, ForecastLine

LINES = [
    {"type": "progress", "done": 1, "total": 2, "message": "x"},
    {"type": "discovery", "kind": "host", "key": "10.213.0.9"},
    {"type": "discovery", "kind": "service", "key": "10.213.0.1:22/tcp", "data": {"product": "OpenSSH"}},
    {"type": "discovery", "kind": "service", "key": "10.213.0.1:22/tcp", "data": {"product": "OpenSSH"}},
    {"type": "end", "discoveries": 3},
]


def written(lines):
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "production.ndjson"
    path.write_text(written(LINES))
    return path


def test_a_production_run_is_counted_here_and_put_beside_the_forecast(run, api, file):
    api.add_session()
    code, out, err = run("report", "last", "--check-against", file, "--took", "100", "--packets", "5000")
    assert (code, err) == (0, "")
    sent = api.questions[-1]
    assert sent["outcome"] == {
        "hosts": 2,
        "places": {"22/tcp": 1},
        "products": {"OpenSSH": 1},
        "others": 0,
        "other_products": 0,
        "complete": True,
        "seconds": 100.0,
        "packets": 5000,
    }
    assert "10.213" not in json.dumps(sent)
    shown = [" ".join(line.split()) for line in out.splitlines()]
    assert shown[0].startswith("1 of 2 within")
    assert "services 30 27 to 33 7 12 of 40 (+2) ✗ outside" in shown
    assert "duration 1m 35s 1m 11s to 2m 00s 1m 40s ✓ within" in shown
    assert "443/tcp: 30 to 37 expected, 12 found" in shown
    assert "Not in the inventory: 3 services, 22/tcp" in shown
    assert "\x1b" not in out


def test_a_pipeline_fails_where_a_run_lies_outside_or_did_not_finish_if_it_is_asked_to(run, api, file):
    api.add_session()
    check = ("report", "last", "--check-against", file)
    assert (run(*check)[0], run(*check, "--require-within")[0]) == (0, 7)
    code, out, _ = run(*check, "--require-within", "--json")
    assert (code, json.loads(out)["comparison"]["complete"]) == (7, True)
    api.groups_within = True
    assert run(*check, "--require-within")[0] == 0
    file.write_text(written(LINES[:-1]))
    assert (run(*check)[0], run(*check, "--require-within")[0]) == (0, 7)
    assert run("report", "last", "--check-production", "--require-within")[0] == 7
    assert run("report", "last", "--require-within")[0] == 2


def test_a_check_is_whole_in_80_columns_and_names_what_is_unknown_only_where_something_is(run, api, file):
    api.add_session()
    _, out, _ = run("report", "last", "--check-against", file, COLUMNS="80")
    assert "✗ outside" in out
    assert "unknown" in out
    assert "…" not in out.partition("90 % interval")[2].partition("lie outside")[0]
    api.nothing_unknown = True
    _, out, _ = run("report", "last", "--check-against", file, COLUMNS="80")
    assert "unknown" not in out


def test_a_check_says_how_many_rows_it_leaves_out(run, api, file):
    api.add_session()
    api.places = 12
    _, out, _ = run("report", "last", "--check-against", file)
    assert "Ports and products outside their interval: 13\n" in out
    assert "  and 3 more; for all: --json, or the check's page\n" in out
    assert "Not in the inventory: 36 services, 22/tcp" in out
    assert "  and 2 more; for all" in out


def test_several_collectors_may_stand_in_one_file_and_one_that_was_cut_is_not_complete(run, api, file):
    api.add_session()
    file.write_text(written([*LINES, *LINES]))
    run("report", "last", "--check-against", file)
    assert api.questions[-1]["outcome"]["complete"] is True
    says_less = {"type": "discovery", "kind": "service", "key": "10.213.0.1:22/tcp", "confidence": 1.0}
    unsure = [{**line, "confidence": 0.5} if line["type"] == "discovery" else line for line in LINES]
    file.write_text(written([*unsure, says_less, {"type": "end", "discoveries": 1}]))
    run("report", "last", "--check-against", file)
    assert api.questions[-1]["outcome"]["products"] == {"OpenSSH": 1}
    for cut in (LINES[:-1], [*LINES, LINES[1]], [LINES[1], {"type": "end", "discoveries": 2}], []):
        file.write_text(written(cut))
        _, out, _ = run("report", "last", "--check-against", file)
        assert api.questions[-1]["outcome"]["complete"] is False
    assert "did not finish" in out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no JSON", ":2 is not a line of a collector"),
        ('{"type": "discovery", "kind": "host"}', ":2 is not a line of a collector"),
        ("[" * 500, ":2: nested deeper"),
        (
            '{"type": "progress", "done": 1, "message": "' + "x" * 70_000 + '"}',
            ":2: longer than 65,536 bytes",
        ),
        ("\\x00", ":2 is not a line"),
    ],
)
def test_a_line_of_no_collector_is_named_and_nothing_is_sent(run, api, file, line, why):
    api.add_session()
    file.write_text(written(LINES[:1]) + line + "\n")
    code, _, err = run("report", "last", "--check-against", file)
    assert code == 2
    assert why in err
    assert not api.checks


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("host,port\n", "it is not JSON (expected value at column 1); give what discovery-collect wrote"),
        ("[]\n", "is not a line of a collector: it is JSON, but not an object; give what"),
        ('{"version": 1}\n', "is not a line of a collector: it has no type; give what"),
        ('{"type": "report"}\n', "its type is none of discovery, progress, warning and end; give what"),
        ('{"type": "end"}\n', "is not a line of a collector: end.discoveries: is missing"),
    ],
)
def test_a_file_of_something_else_is_told_what_belongs_there(run, api, file, content, why):
    file.write_text(content)
    code, _, err = run("report", "last", "--check-against", file)
    assert (code, f"{file}:1 " in err, why in err) == (2, True, True)


def test_what_is_no_file_is_named_with_what_belongs_there(run, api, tmp_path):
    for path, why in ((tmp_path, "it is a folder"), (tmp_path / "none", "there is no such file")):
        code, _, err = run("report", "last", "--check-against", path)
        wanted = "give what discovery-collect wrote, one JSON object a line, or - for standard input"
        assert (code, err.strip()) == (2, f"error: cannot read {path}: {why}; {wanted}")


def test_a_pipe_into_which_nobody_writes_is_left_with_the_first_ctrl_c(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def wait():
        read_outcome(pipe, seconds=None, packets=None)

    begun = time.monotonic()
    presses = [Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)) for seconds in (0.3, 4)]
    for each in presses:
        each.start()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(wait())
    presses[1].cancel()
    assert time.monotonic() - begun < 3


def test_what_production_holds_is_asked_for_by_name(run, api, tmp_path):
    session = api.add_session()["id"]
    other = api.add_session()["id"]
    code, out, _ = run("report", session, "--check-production", "--took", "60", "--with", other)
    assert (code, "A scan of production did not finish" in out) == (0, True)
    assert api.questions[-1] == {"outcome": None, "seconds": 60.0, "packets": None, "sessions": [other]}
    assert run("report", session, "--check-production", "--check-against", "x")[0] == 2
    assert run("report", session, "--check-against", tmp_path / "none")[0] == 2
    assert run("report", session, "--took", "60")[0] == 2


def test_forecasts_of_several_sessions_and_of_an_experiment(run, api):
    first, second = api.add_session()["id"], api.add_session()["id"]
    code, out, _ = run("forecast", first, second)
    assert code == 0
    assert "Expected in production" in out
    assert api.questions[-1]["with"] == [second]
    code, out, _ = run("forecast", "--experiment", "00000000-0000-4000-8000-000000000009", "--arm", "ours")
    assert (code, api.questions[-1]) == (0, {"arm": ["ours"]})
    assert "\x1b" not in out
    assert run("forecast", first, "--experiment", "last")[0] == 2
    assert json.loads(run("forecast", first, "--json")[1])["hosts"] == 1200


def test_the_list_says_how_often_forecasts_were_right(run, api, file):
    assert "No forecasts checked yet. To check one:" in run("checks")[1]
    api.add_session()
    run("report", "last", "--check-against", file)
    code, out, _ = run("checks")
    assert code == 0
    assert "2 of 3 within  hosts, services, products" in out
    assert "outside" in out
    assert "*" not in out
    assert "\x1b" not in out


def test_a_check_with_an_incomplete_run_is_marked_in_the_list(run, api, file):
    api.add_session()
    file.write_text(written(LINES[:-1]))
    assert "Not counted." in run("report", "last", "--check-against", file)[1]
    out = " ".join(run("checks")[1].split())
    assert " * " in out
    assert "* The run did not finish; it is not counted." in out


def test_a_check_is_removed_by_the_beginning_of_its_id(run, api, file):
    api.add_session()
    run("report", "last", "--check-against", file)
    for wrong in ("6", "", "xyzw"):
        code, _, err = run("checks", "--remove", wrong)
        assert (code, "is not the id of a check; give an id, or its beginning of 4" in err) == (2, True)
    code, _, err = run("checks", "--remove", "ffff")
    assert (code, "no check has an id that begins with 'ffff'; see: dryrun checks" in err) == (4, True)
    code, out, _ = run("checks", "--remove", "6E0E7d")
    assert (code, out) == (0, "Removed the check 6e0e7d1c.\n")
    assert "\x1b" not in out
    assert "No forecasts checked yet." in run("checks")[1]


def test_what_a_check_left_out_is_said(run, api, tmp_path):
    api.add_session()
    file = tmp_path / "many.ndjson"
    services = [
        {
            "type": "discovery",
            "kind": "service",
            "key": f"10.213.0.1:{number}/tcp",
            "data": {"product": f"p{number}"},
        }
        for number in range(1, 1001)
    ]
    file.write_text(written([*services, {"type": "end", "discoveries": 1000}]))
    _, out, _ = run("report", "last", "--check-against", file)
    assert "200 services at further ports and 600 services of further products" in " ".join(out.split())


def test_what_the_run_excluded_and_did_not_cover_is_sent_as_a_number(run, api, file):
    api.add_session()
    file.write_text(written([*LINES[:-1], {**LINES[-1], "not_covered": ["10.213.0.7", "10.213.0.9"]}]))
    excluded = ("--exclude", "10.213.0.1", "--exclude", "::ffff:10.213.0.12/126")
    code, out, _ = run("report", "last", "--check-against", file, *excluded)
    sent = api.questions[-1]["outcome"]
    # 10.213.0.9 was found all the same.
    assert (code, sent["hosts"], sent["places"], sent["hosts_left_out"]) == (0, 1, {}, 6)
    assert "10.213" not in json.dumps(sent)
    assert "The run did not look at 6 addresses: nothing there counts as missed." in out
    # 10.213.0.9 is the first collector's own machine, and the second one reported it.
    first = [*LINES[2:4], {"type": "end", "discoveries": 2, "not_covered": ["10.213.0.9"]}]
    file.write_text(written([*first, LINES[1], {"type": "end", "discoveries": 1}]))
    out = " ".join(run("report", "last", "--check-against", file)[1].split())
    sent = api.questions[-1]["outcome"]
    assert (sent["hosts"], sent.get("hosts_left_out", 0), sent["hosts_seen_in_part"]) == (2, 0, 1)
    assert "One of its collectors did not look at 1 host: what only it finds there is not missed." in out


@pytest.mark.parametrize("wrong", ["somewhere", "10.213.0.1/24", ""])
def test_what_is_no_network_to_exclude_is_refused(run, api, file, wrong):
    api.add_session()
    code, _, err = run("report", "last", "--check-against", file, "--exclude", wrong)
    assert (code, "error: --exclude: " in err, "10.213.0.0/24 for the network" in err) == (
        2,
        True,
        "/" in wrong,
    )
    assert run("report", "last", "--check-production", "--exclude", "10.213.0.1")[0] == 2
    assert run("report", "last", "--exclude", "10.213.0.1")[0] == 2
    assert not api.checks


def drawn(renderables):
    console = Console(width=200)
    with console.capture() as captured:
        for each in renderables:
            console.print(each)
    return [" ".join(line.split()) for line in captured.get().splitlines()]


def test_what_a_log_read_in_part_shows_is_at_least_that_much():
    ends = {"unit": "failed logins", "low": 5, "high": None, "basis": "in logs"}
    line = ForecastLine(name="failed logins", expected=12, at_least=True, **ends)
    known = Forecast(hosts=3, cidr="10.0.0.0/29", addresses=6, lines=(line,), assumptions=())
    assert "failed logins at least 12 5 - in logs" in drawn(draw_forecast(known))
    exact = line.model_copy(update={"at_least": False})
    shown = drawn(draw_forecast(known.model_copy(update={"lines": (exact,)})))
    assert "failed logins 12 5 - in logs" in shown


@pytest.mark.parametrize(("at_least", "row"), [(True, "at least 12 from 9"), (False, "12 9 to 15")])
def test_so_is_the_figure_of_a_real_network(at_least, row):
    expected = Expected(value=12, low=9, high=15)
    logins = QuantityForecast(name="failed_logins", expected=expected, basis="", at_least=at_least)
    known = NetworkForecast.model_construct(quantities=(logins,))
    assert [line for line in drawn(draw_quantities(known)) if line.endswith(row)]
