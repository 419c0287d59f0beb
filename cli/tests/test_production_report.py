"""A reported scan of production: it says what it covered, and only a whole one counts."""

import json
from ipaddress import ip_network

import pytest

from dryrun_cli.commands import scan_scope
from dryrun_contract.bounded_json import JsonBounds, check_bounds

FOUND = [
    {"type": "discovery", "kind": "host", "key": "10.213.0.9"},
    {"type": "progress", "done": 1, "total": 2, "message": "x"},
    {"type": "discovery", "kind": "service", "key": "10.213.0.1:22/tcp", "data": {"product": "OpenSSH"}},
]
END = {"type": "end", "discoveries": 2}
WARNING = {"type": "warning", "message": "no login"}


@pytest.fixture
def report(run, tmp_path):
    def report(lines, *more):
        path = tmp_path / "found.ndjson"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
        return run("production", "report", path, *how, *more)

    return report


def test_a_whole_scan_is_reported_with_what_it_covered_and_counts(report, api):
    code, out, err = report([*FOUND, END], "--exclude", "10.213.0.7")
    assert (code, err) == (0, "")
    assert out == "2 new, 0 changed, 0 returned, 0 unchanged\n3 missed, 0 of them gone.\n"
    (scan,) = api.scans
    assert (scan["targets"], scan["excluded"], scan["complete"]) == (
        ["10.213.0.0/16"],
        ["10.213.0.7/32"],
        True,
    )
    (sent,) = api.reported
    assert (sent["collector"], sent["scan"]) == ("network", scan["id"])
    assert [each["key"] for each in sent["discoveries"]] == ["10.213.0.9", "10.213.0.1:22/tcp"]


def test_what_the_collector_did_not_look_at_is_not_covered(report, api):
    code, out, _ = report([*FOUND, END | {"not_covered": ["10.213.0.1"]}])
    assert (code, api.scans[0]["not_covered"]) == (0, ["10.213.0.1/32"])
    assert out.endswith("\nNot inspected, so nothing there counts as missed: 10.213.0.1/32.\n")


@pytest.mark.parametrize(
    ("not_covered", "more"),
    [
        (["0.0.0.0/0"], ()),
        (["10.213.0.0/17", "10.213.128.0/17"], ()),
        (["10.213.0.0/17"], ("--exclude", "10.213.128.0/17")),
    ],
)
def test_a_collector_that_looked_at_nothing_made_no_whole_scan(report, api, not_covered, more):
    code, out, err = report([*FOUND, END | {"not_covered": not_covered}], *more, "--despite-warnings")
    assert (code, api.scans[0]["complete"], "missed" in out) == (1, False, False)
    assert "looked at nothing in 10.213.0.0/16" in err
    assert "warned" not in err


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (FOUND, "did not finish"),
        ([*FOUND, {"type": "end", "discoveries": 3}], "end line counts 3 discoveries, but the output has 2"),
        ([WARNING, *FOUND, END], "warned once"),
        ([WARNING, WARNING, *FOUND, END], "warned 2 times"),
    ],
)
def test_what_a_collector_left_out_makes_nothing_missed(report, api, lines, why):
    code, _, err = report(lines)
    assert (code, why in err, api.scans[0]["complete"]) == (1, True, False)
    if WARNING in lines:
        assert report(lines, "--despite-warnings")[0] == 0
        assert api.scans[1]["complete"] is True


@pytest.mark.parametrize("more", [(), ("--despite-warnings",)])
def test_a_scan_that_another_client_ended_is_not_blamed_on_the_collector(report, api, more):
    api.ended_by_others = {"ended_at": "2026-11-27T00:00:30Z", "complete": False, "missed": 0, "gone": 0}
    code, _, err = report([*([WARNING] if more else []), *FOUND, END], *more)
    assert (code, "warned" in err) == (1, False)
    assert f"Another client had ended the scan {api.scans[0]['id']} as incomplete" in err


@pytest.mark.parametrize("number", ["NaN", "1e400", "-Infinity"])
def test_a_number_that_json_cannot_hold_is_reported_as_none(run, api, tmp_path, number):
    path = tmp_path / "found.ndjson"
    line = '{"type": "discovery", "kind": "host", "key": "192.0.2.1", "data": {"a": [%s], "b": 1.5}}\n'
    path.write_text(line % number)
    how = ("--collector", "network", "--targets", "192.0.2.0/24", "--profile", "full")
    assert run("production", "report", path, *how)[0] == 1
    assert api.reported[0]["discoveries"][0]["data"] == {"a": [None], "b": 1.5}


@pytest.mark.parametrize("wrong", ["somewhere", "192.0.2.1-9", "192.0.2.0/33", "1" * 70, ""])
def test_what_is_no_network_is_told_what_would_be(report, api, wrong):
    _, _, err = report([*FOUND, END], "--exclude", wrong)
    assert err.startswith(f"error: --exclude: '{wrong[:64]}")
    assert (
        "is not an address or network, such as 192.0.2.7 or 192.0.2.0/24; names and ranges are refused" in err
    )


@pytest.mark.parametrize(
    "wrong", ["yesterday", "2026-13-01", "20260131", "1700000000", "", "2026-01-31T25:00Z"]
)
def test_what_is_no_time_is_told_what_would_be(report, api, wrong):
    """A number is none either: it would be read as seconds since 1970."""
    code, _, err = report([*FOUND, END], "--began", wrong)
    said = "must be a time with its zone, such as 2026-01-31T09:30:00Z (RFC 3339), not"
    assert (code, err, api.scans) == (2, f"error: --began: {said} '{wrong}'\n", [])


def test_what_is_no_collectors_name_is_told_what_would_be(run, api, tmp_path):
    how = ("--targets", "10.213.0.0/16", "--profile", "full", "--collector", "Our\x1b Scanner")
    code, _, err = run("production", "report", tmp_path / "none", *how)
    assert (
        code,
        err.startswith("error: --collector: 'Our\\\\x1b Scanner' is not a collector's name: a-z,"),
    ) == (2, True)


def test_a_scan_whose_targets_are_all_excluded_is_refused(report, api):
    code, _, err = report([{"type": "end", "discoveries": 0}], "--exclude", "10.0.0.0/8")
    said = "error: --exclude: all targets are excluded, so that nothing was scanned; leave a target\n"
    assert (code, err, api.scans) == (2, said, [])


@pytest.mark.parametrize("option", ["--targets", "--exclude"])
def test_a_network_with_host_bits_is_refused_as_collectors_do(report, api, option):
    code, _, err = report([*FOUND, END], option, "192.0.2.1/24")
    assert code == 2
    assert err == (
        f"error: {option}: 192.0.2.1/24 has host bits set; write 192.0.2.0/24 for the network "
        "or 192.0.2.1 for the one address\n"
    )
    assert not api.scans


def test_targets_that_hold_nothing_of_the_output_are_refused(run, report, api, tmp_path):
    path = tmp_path / "found.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*FOUND, END]))
    how = ("production", "report", path, "--collector", "network", "--profile", "full")
    code, _, err = run(*how, "--targets", "10.214.0.0/16", "--targets", "fd00::/64")
    assert (code, api.scans) == (2, [])
    assert (
        "has no discovery in 10.214.0.0/16, fd00::/64, and some elsewhere, such as 10.213.0.9;"
        in " ".join(err.split())
    )
    assert run(*how, "--targets", "10.214.0.0/16", "--targets", "10.213.0.1")[0] == 0
    named = [{"type": "discovery", "kind": "host", "key": "printer"}, {"type": "end", "discoveries": 1}]
    assert report(named)[0] == report([{"type": "end", "discoveries": 0}])[0] == 0
    assert len(api.scans) == 3


def test_discoveries_elsewhere_are_said_and_may_be_the_collectors_right(report, api):
    other = [
        {"type": "discovery", "kind": "host", "key": key} for key in ("192.0.2.9", "10.213.0.7", "printer")
    ]
    lines = [*FOUND, *other, {"type": "end", "discoveries": 5}]
    code, out, err = report(lines, "--exclude", "10.213.0.7")
    assert (code, out.count("3 missed"), api.scans[0]["complete"]) == (0, 1, True)
    assert err.startswith(
        "2 discoveries lie elsewhere than in 10.213.0.0/16 without 10.213.0.7/32, such as 192.0.2.9. Check"
    )
    assert json.loads(report(lines, "--json")[1])["elsewhere"] == 1
    assert report(lines, "--targets", "192.0.2.0/24")[2] == ""


def test_an_ipv4_address_that_is_written_as_ipv6_lies_in_its_network(run, api, tmp_path):
    path = tmp_path / "found.ndjson"
    found = [
        {"type": "discovery", "kind": "host", "key": "[::ffff:10.213.0.9]"},
        {"type": "end", "discoveries": 1},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in found))
    how = ("--collector", "network", "--profile", "full", "--targets", "10.213.0.0/24")
    assert (run("production", "report", path, *how)[0], len(api.scans)) == (0, 1)


def test_many_targets_are_read_once_whatever_the_output_holds_elsewhere(run, api, tmp_path, monkeypatch):
    read: list[str] = []
    monkeypatch.setattr(scan_scope, "exact_network", lambda text: (read.append(text), ip_network(text))[1])
    path = tmp_path / "found.ndjson"
    found = [{"type": "discovery", "kind": "host", "key": f"192.0.2.{host}"} for host in range(1, 101)]
    path.write_text(
        "".join(json.dumps(line) + "\n" for line in [*found, {"type": "end", "discoveries": 100}])
    )
    targets = [f"10.0.{number}.0/24" for number in range(50)]
    given = [word for target in targets for word in ("--targets", target)]
    how = ("--collector", "network", "--profile", "full", *given)
    assert run("production", "report", path, *how)[0] == 2
    assert (read, api.scans) == (targets, [])


def test_a_scan_of_earlier_says_when_it_began(report, api):
    assert report([*FOUND, END], "--began", "2026-11-26T02:30:00+01:00")[0] == 0
    assert api.scans[0]["started_at"] == "2026-11-26T01:30:00Z"
    code, _, err = report([*FOUND, END], "--began", "yesterday")
    assert (code == 0, "--began" in err, len(api.scans)) == (False, True, 1)


def test_what_rules_approved_is_said(report, api):
    api.approved = 2
    assert report([*FOUND, END])[1].startswith(
        "2 new, 0 changed, 0 returned, 0 unchanged; 2 of them approved"
    )


def test_a_scan_whose_report_is_refused_midway_ends_and_counts_nothing_as_missed(report, api):
    api.reports_a_day = 1
    many = [{"type": "discovery", "kind": "host", "key": f"10.213.{n // 250}.{n % 250}"} for n in range(600)]
    code, out, err = report([*many, {"type": "end", "discoveries": 600}])
    assert (code, out, "1 reports today" in err) == (4, "", True)
    assert (len(api.reported), api.scans[0]["complete"], api.scans[0]["missed"]) == (1, False, 0)


def test_many_are_sent_in_parts(report, api):
    many = [{"type": "discovery", "kind": "host", "key": f"10.213.{n // 250}.{n % 250}"} for n in range(1100)]
    assert report([*many, {"type": "end", "discoveries": 1100}])[0] == 0
    assert [len(each["discoveries"]) for each in api.reported] == [500, 500, 100]
    large = [each | {"data": {"x": "y" * 60_000}} for each in many[:40]]
    assert report([*large, {"type": "end", "discoveries": 40}])[0] == 0
    assert [len(each["discoveries"]) for each in api.reported[3:]] == [17, 17, 6]


@pytest.mark.parametrize(
    ("number", "value"), [(300, "\U0001f600" * 5_000), (80, [1] * 16_000), (80, [[1, 2], [3]] * 3_000)]
)
def test_each_part_is_within_what_the_api_takes(report, api, number, value):
    found = {"type": "discovery", "kind": "host", "data": {"x": value}}
    lines = [found | {"key": f"host{each}"} for each in range(number)]
    assert report([*lines, {"type": "end", "discoveries": number}])[0] == 0
    assert sum(len(each["discoveries"]) for each in api.reported) == number
    for each in api.reported:
        check_bounds(json.dumps(each, ensure_ascii=False).encode(), JsonBounds(2 * 1024 * 1024, 100_000))


def test_only_the_last_line_on_a_resource_is_sent(report, api):
    hosts = [{"type": "discovery", "kind": "host", "key": f"10.213.{n // 250}.{n % 250}"} for n in range(600)]
    first = {"type": "discovery", "kind": "service", "key": "10.213.0.1:22/tcp", "data": {"name": "ssh"}}
    lines = [first, *hosts, FOUND[2], {"type": "end", "discoveries": 602}]
    assert report(lines)[:2] == (
        0,
        "601 new, 0 changed, 0 returned, 0 unchanged\n3 missed, 0 of them gone.\n",
    )
    sent = [found for each in api.reported for found in each["discoveries"] if found["kind"] == "service"]
    assert [found["data"] for found in sent] == [{"product": "OpenSSH"}]
    assert not any("cut_off" in each for each in api.reported)


def test_what_was_cut_off_is_called_so(report, api):
    assert report(FOUND)[0] == report([WARNING, *FOUND, END])[0] == 1
    assert [each.get("cut_off") for each in api.reported] == [True, None]


def test_a_last_line_that_its_collector_did_not_finish_is_left_out(run, tmp_path, api):
    path = tmp_path / "found.ndjson"
    how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
    lines = [json.dumps(line) for line in FOUND]
    path.write_text("\n".join(lines)[:-20])
    code, _, err = run("production", "report", path, *how)
    assert (code, "did not finish" in err, api.scans[0]["complete"]) == (1, True, False)
    assert [(each["cut_off"], len(each["discoveries"])) for each in api.reported] == [(True, 1)]
    # Nothing that begins so, or goes on after its end, is a collector's.
    for wrong in (lines[0][:-20], "\n".join([*lines, json.dumps(END), lines[0][:-20]])):
        path.write_text(wrong)
        assert "it is not JSON" in run("production", "report", path, *how)[2]


def test_wrong_lines_and_networks_end_it_before_anything_is_sent(report, api):
    assert "is not a line of a collector" in report([*FOUND, {"type": "nothing"}])[2]
    assert "goes on after its end line" in report([*FOUND, END, *FOUND, END])[2]
    code, _, err = report([*FOUND, END], "--exclude", "somewhere")
    assert (code, err.startswith("error: --exclude: 'somewhere' is not an address or network, such as")) == (
        2,
        True,
    )
    assert api.scans == []


def test_a_file_that_is_not_there_or_a_folder_begins_no_scan(run, api, tmp_path):
    how = ("--collector", "network", "--targets", "10.213.0.0/16", "--profile", "full")
    for path in (tmp_path, tmp_path / "none"):
        code, _, err = run("production", "report", path, *how)
        assert (code, f"cannot read {path}" in err) == (2, True)
    assert api.scans == []
