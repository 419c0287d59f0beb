"""Trends on the command line: newest first, with what changed."""

import json

FIGURES = {"recall": 0.9, "precision": 1.0, "harmed": 0, "seconds": 75.0, "packets": 12345}


def point(day, **more):
    measured = {name: {"value": value, "low": None, "high": None} for name, value in FIGURES.items()}
    images = {"network": "sha256:" + "a" * 64}
    at = f"2026-11-{day:02}T02:30:00Z"
    return {"at": at, "line": "as installed", "measured": measured, "images": images, "whole": True, **more}


def test_a_trend_shows_where_an_image_changed(run, api):
    changed = {"images": {"network": "sha256:" + "b" * 64}, "whole": False}
    api.trend = [point(1), point(2, **changed), point(3, line="\x1b[31mquick", **changed)]
    code, out, _ = run("trend", "small", "--collector", "network")
    assert (code, api.requests[-1]) == (0, ("GET", "/api/v1/dryrun/trends"))
    head, other, newest, oldest, note = out.splitlines()
    assert note == "RECALL and PRECISION: of services."
    assert head.startswith("WHEN")
    assert "network bbbbbbbbbbbb" in newest
    assert "(cut short)" in newest
    assert "bbbbbbbbbbbb" not in other, "the first of its own line"
    assert "\x1b" not in out
    assert oldest.split()[4:] == ["0.90", "1.00", "0", "1m", "15s", "12,345", "-"]
    assert json.loads(run("trend", "small", "--json")[1])["points"][0]["whole"] is True


def test_one_of_template_and_schedule_is_named(run, api):
    assert run("trend")[0] == 2
    assert run("trend", "small", "--schedule", "x")[0] == 2
    assert "Nothing was measured" in run("trend", "small")[1]
    assert "Nothing was measured" in run("trend", "small", "--collector", "network")[1]


def test_a_collector_that_neither_scans_the_template_nor_has_sessions_of_it_is_refused(run):
    code, out, err = run("trend", "small", "--collector", "nmpa")
    assert (code, out) == (4, "")
    assert "no collector nmpa scans small or has scored sessions of it; see: dryrun templates" in err
