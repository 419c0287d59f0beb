"""Approval rules on the command line: made from a file, previewed, switched on as they were previewed."""

import json

import pytest

FILE = """
collectors: [network]
reporters: ["program:lab"]
kinds: [host]
subnets: [10.213.0.0/16]
min_confidence: 0.9
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lab.yml"
    path.write_text(FILE)
    return path


def test_a_rule_is_made_previewed_switched_on_off_and_removed(run, api, file):
    code, out, err = run("rule", "add", file)
    assert (code, out.strip()) == (0, api.rules[0]["id"])
    assert "dryrun rule preview lab" in err
    assert "off" in run("rule", "list")[1]
    code, out, _ = run("rule", "preview", "lab")
    assert "lab would approve 1 of 7 open discoveries." in out
    assert "\x1b" not in out
    assert "the page Approval rules, or with a program's token: dryrun rule on lab" in " ".join(out.split())
    digest = out.split("--preview ")[1].strip()
    assert "Left after" not in out
    api.previewed = {
        "matching": 0,
        "examples": [],
        "remaining": {"changes": 7, "min_confidence": 0, "kinds": 0},
    }
    assert "Left after each condition: changes 7, min confidence 0." in run("rule", "preview", "lab")[1]
    code, out, _ = run("rule", "on", "lab", "--preview", digest)
    assert (code, out) == (0, "lab is on; it approved 1.\n")
    assert run("rule", "off", api.rules[0]["id"])[1] == "lab is off.\n"
    assert "stays approved" in run("rule", "remove", "lab")[1]
    assert "every discovery waits" in run("rule", "list")[1]


def test_a_removal_is_json_on_request(run, api, file):
    rule = run("rule", "add", file)[1].strip()
    assert json.loads(run("rule", "remove", "lab", "--json")[1]) == {"removed": rule}


def test_faults_of_the_file_are_named_before_anything_is_sent(run, api, file):
    file.write_text(FILE.replace("[host]", "[everything]").replace("10.213.0.0/16", "everywhere"))
    code, _, err = run("rule", "add", file)
    assert (code, "subnets.0" in err, api.rules) == (2, True, [])


def test_an_unknown_rule_says_where_rules_are(run, api):
    code, _, err = run("rule", "off", "abc")
    assert (code, "see: dryrun rule list" in err) == (4, True)
