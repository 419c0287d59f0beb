"""Experiments on the command line: files are checked completely, results are readable and inert."""

import json

import pytest
import recorded_experiment

from dryrun_cli.commands import experiments

FILE = """
templates: [small]
repetitions: 2
collectors:
  Samba 4.6: [network]
  next: [network-2]
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "LOOK_SECONDS", 0.01)
    path = tmp_path / "old or new.yml"
    path.write_text(FILE)
    return path


def test_an_experiment_is_run_to_its_end_and_says_what_was_lost(run, api, file):
    code, out, err = run("experiment", "run", file)
    assert code == 0
    # Into a file, where no bar can move.
    assert [line.split("  ")[0] for line in err.splitlines()] == ["2 of 4 sessions", "4 of 4 sessions"]
    assert "old or new  ✓ done" in out, "the file's name is the experiment's"
    assert "4 of 4 sessions measured" in out
    assert "so far" not in out
    assert "service" in out
    assert "1.00 (0.90 to 1.00)" in out
    assert "0.75 (0.65 to 0.75) *" in out, "a difference that chance does not explain is marked"
    assert "* service: recall -0.25 (-0.30 to -0.20)" in out
    assert "lost    small service files:445/tcp version: Samba 4.6 2 of 2, next 0 of 2" in out
    assert "Samba 4.6 reports '4.6.2' in 2" in out
    assert "7 more differences; --json has them" in out
    assert "unclear: chance may explain it; more repetitions settle it" in out
    assert "2 of 2, 1 cut short" in out


def test_an_experiment_that_is_never_summed_up_is_not_waited_for_for_ever(run, api, file, monkeypatch):
    monkeypatch.setattr(experiments, "SUM_UP_SECONDS", 0.2)
    monkeypatch.setattr(recorded_experiment, "results", lambda request: None)
    code, out, err = run("experiment", "run", file)
    assert (code, out) == (3, "")
    assert "has not summed them up within 0.2 s; its log says why" in err
    assert f"dryrun experiment show {next(iter(api.experiments))}" in err


@pytest.mark.parametrize(("statuses", "code"), [([429] * 3, 0), ([403], 4)], ids=["too many", "forbidden"])
def test_too_many_requests_of_one_person_do_not_end_the_waiting(run, api, file, monkeypatch, statuses, code):
    advance = recorded_experiment.advance

    def refuse_then_advance(experiment):
        while statuses:
            api.statuses.append((statuses.pop(), "not now"))
        advance(experiment)

    monkeypatch.setattr(recorded_experiment, "advance", refuse_then_advance)
    assert run("experiment", "run", file)[0] == code
    assert not api.statuses


def test_an_experiment_that_somebody_stops_is_waited_for_no_longer(run, api, file, monkeypatch):
    def stop(experiment):
        experiment |= {"state": "stopped", "measured": 1}

    monkeypatch.setattr(experiments, "SUM_UP_SECONDS", 0.2)
    monkeypatch.setattr(recorded_experiment, "advance", stop)
    code, out, _ = run("experiment", "run", file)
    assert (code, "stopped" in out) == (0, True)


def test_results_before_the_last_session_are_shown_as_those_so_far(run, api, file, monkeypatch):
    def stop(experiment):
        results = recorded_experiment.results(experiment["request"])
        experiment |= {"state": "stopped", "measured": 3, "results": results}

    monkeypatch.setattr(experiments, "SUM_UP_SECONDS", 0.2)
    monkeypatch.setattr(recorded_experiment, "advance", stop)
    _, out, _ = run("experiment", "run", file)
    assert "so far: figures, *, lost, gained and recommended rates may change" in out
    assert "lost    small service files:445/tcp" in out


def test_continuing_what_is_done_says_that_nothing_is_left_to_start(run, api, file):
    run("experiment", "run", file)
    [experiment] = api.experiments
    code, said, _ = run("experiment", "continue", experiment)
    assert (code, "No session is left to start" in said, "start again" in said) == (0, True, False)


def test_a_sweep_over_rates_says_which_is_recommended_and_why_no_faster_one(run, api, file):
    _, out, _ = run("experiment", "run", file)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "100/s 0.98 0.00 20.5 4 safe" in lines
    assert any(line.startswith("200/s 0.98 1.25 20.5 4 harms: restarts in 4 of 4 sessions") for line in lines)
    assert "✓ Recommended rate: 100 packets/s: nothing lost and nothing harmed in 4 sessions" in out
    assert "restarts 0.50 0.50" in lines


def test_what_a_target_says_stays_inert(run, api, file):
    _, out, _ = run("experiment", "run", file)
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_json_has_all_of_it(run, api, file):
    code, out, _ = run("experiment", "run", file, "--json")
    shown = json.loads(out)
    assert (code, shown["state"], shown["measured"]) == (0, "done", 4)
    assert shown["request"]["collectors"] == {"Samba 4.6": ["network"], "next": ["network-2"]}


def test_without_watching_its_id_is_printed_and_finds_it_again(run, api, file):
    _, out, _ = run("experiment", "run", file, "--no-watch")
    experiment_id = out.strip()
    assert experiment_id in api.experiments
    assert run("experiment", "show", experiment_id[:6])[0] == 0
    assert run("experiment", "show", "last")[0] == 0
    code, listed, _ = run("experiment", "list")
    assert code == 0
    assert f"{experiment_id[:8]}  old or new" in listed


def test_an_experiment_is_stopped_and_continued(run, api, file):
    _, out, _ = run("experiment", "run", file, "--no-watch")
    experiment_id = out.strip()
    code, said, _ = run("experiment", "stop", "last")
    assert (code, api.experiments[experiment_id]["state"]) == (0, "stopped")
    assert f"dryrun experiment continue {experiment_id}" in said
    assert run("experiment", "continue", experiment_id)[0] == 0
    assert api.experiments[experiment_id]["state"] == "running"


def test_every_mistake_of_a_file_is_named_at_once_and_nothing_is_sent(run, api, file):
    file.write_text(
        "templates: [Small, small, small]\nseeds: [20000]\nrepetitions: 0\n"
        "collectors: {ours: [Network], 'a/b': []}\nprofiles: [loud]\nrates: [0]\nimage: evil\n"
    )
    code, _, err = run("experiment", "run", file)
    assert code == 2
    for words in (
        "templates.0: is not a template's name",
        "seeds.0: must be at most 9999",
        "repetitions: must be at least 1",
        "collectors.ours.0: is not a collector's name",
        "collectors.a/b: is empty",
        "profiles.0: must be 'quick' or 'full'",
        "rates.0: must be at least 1",
        "image: is not known; known are name, templates",
    ):
        assert words in err
    assert api.requests == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n", "has no experiment"),
        ("{", "neither YAML nor JSON"),
        ("templates: [small]\nrepetitions: 40\nseeds: [1,2,3,4,5,6,7,8]\n", "make 320 sessions; 300 are"),
        ("templates: [small]\nseeds: [1, 1]\n", "seeds names one value twice"),
    ],
)
def test_a_file_that_is_no_experiment_says_why(run, api, file, text, words):
    file.write_text(text)
    code, _, err = run("experiment", "run", file)
    assert code == 2
    assert words in err


def test_an_id_that_nothing_has_is_refused(run, api):
    code, _, err = run("experiment", "show", "abc")
    assert code == 4
    assert "no experiment has an id that begins with 'abc'" in err


def test_two_sessions_are_compared_as_an_experiment_of_two_arms(run, api):
    first, second = api.add_session()["id"], api.add_session()["id"]
    code, out, err = run("experiment", "compare", first[:6], second)
    assert (code, err) == (0, "")
    assert f"{first[:8]} (baseline)" in out
    assert f"{second[:8]} beside {first[:8]}: 1 lost" in out
    assert "any difference may be chance" in out
    assert "small service ghost:80/tcp" in out
    assert "3 more false positives" in out
    assert "\x1b" not in out
    _, whole, _ = run("experiment", "compare", first, second, "--json")
    assert [arm["arm"] for arm in json.loads(whole)["arms"]] == [first, second]
    assert run("experiment", "compare", "nothing", second)[0] != 0


def test_a_session_is_not_compared_with_itself(run, api):
    session = api.add_session()["id"]
    code, out, err = run("experiment", "compare", session)
    assert (code, out) == (2, "")
    assert err == f"error: both are session {session}; give another one as BASELINE (see: dryrun list)\n"


def test_a_fact_is_shown_over_the_versions_of_the_collectors(run, api, monkeypatch):
    code, out, _ = run("experiment", "history", "small", "service", "web:80/tcp", "--attribute", "version")
    assert code == 0
    assert api.questions[-1] == {
        "template": ["small"],
        "kind": ["service"],
        "key": ["web:80/tcp"],
        "attribute": ["version"],
    }
    rows = [line.split() for line in out.splitlines() if line.startswith("network")]
    assert [(row[1], row[4:7]) for row in rows] == [
        ("bbbbbbbb", ["1", "of", "2"]),
        ("aaaaaaaa", ["2", "of", "2"]),
    ]
    assert "Older runs are left out." in out
    assert "version, template small, true: 4.6.2" in out
    assert "\x1b" not in out
    code, out, _ = run("experiment", "history", "small", "service", "web:80/tcp", "--json")
    assert json.loads(out)["more"] is True
    recorded = recorded_experiment.fact_history()
    monkeypatch.setattr(
        recorded_experiment, "fact_history", lambda: recorded | {"expected": ["nginx", "HAProxy"]}
    )
    _, out, _ = run("experiment", "history", "small", "service", "web:80/tcp")
    assert "true: nginx, HAProxy" in " ".join(out.split())
