"""What names nothing ends every command alike: 2 for what can be no id or name, 4 for what nothing has."""

import json
import uuid

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from dryrun_cli.main import app

DIGEST = "0" * 64
BADGE = "A" * 22
SESSION = str(uuid.UUID(int=9))
# Command → its arguments, once with {} for the id or the name.
NAMING = {
    "start": ["{template}"],
    "watch": ["{id}"],
    "show": ["{id}"],
    "events": ["{id}"],
    "stop": ["{id}"],
    "forecast": ["{id}"],
    "forecast --experiment": ["{id}"],
    "checks --remove": ["{id}"],
    "trend": ["{template}"],
    "trend --collector": ["{name}", "small"],
    "trend --schedule": ["{id}"],
    "report show": ["{id}"],
    "criteria show": ["{name}"],
    "criteria default": ["{name}"],
    "criteria remove": ["{name}"],
    "experiment history": ["{template}", "service", "web:80/tcp"],
    "experiment show": ["{id}"],
    "experiment compare": ["{id}", SESSION],
    "experiment stop": ["{id}"],
    "experiment continue": ["{id}"],
    "schedule show": ["{id}"],
    "schedule pause": ["{id}"],
    "schedule resume": ["{id}"],
    "schedule remove": ["{id}"],
    "badge show": ["{template}"],
    "badge show --schedule": ["{id}"],
    "badge publish": ["{template}"],
    "badge publish --schedule": ["{id}"],
    "badge withdraw": ["{badge}"],
    "rule preview": ["{name}"],
    "rule on": ["{name}", "--preview", DIGEST],
    "rule off": ["{name}"],
    "rule remove": ["{name}"],
    "destination check": ["{name}"],
    "destination remove": ["{name}"],
    "delivery preview": ["{name}"],
    "delivery show": ["{id}"],
    "delivery approve": ["{id}"],
    "delivery discard": ["{id}"],
    "delivery resend": ["{id}"],
    "delivery fetch": ["{id}"],
}
# They name several things at once, which is answered for each; what is to be made; or files.
ELSEWHERE = {
    "templates",
    "list",
    "retention",
    "report verify",
    "criteria",
    "criteria list",
    "criteria store",
    "experiment run",
    "experiment list",
    "schedule add",
    "schedule list",
    "badge list",
    "production report",
    "production list",
    "production approve",
    "production reject",
    "production reopen",
    "production scans",
    "production changes",
    "rule add",
    "rule list",
    "destination add",
    "destination list",
    "delivery list",
}
UNKNOWN = {"id": "abcd", "template": "nothing", "name": "nothing", "badge": BADGE}
NO_NAME = dict.fromkeys(UNKNOWN, "../x Y")


def commands_in(command, path=()):
    if not isinstance(command, TyperGroup):
        yield " ".join(path)
        return
    if command.invoke_without_command and path:
        yield " ".join(path)
    for name, each in command.commands.items():
        yield from commands_in(each, (*path, name))


def called(command, values):
    return [*command.split(), *(each.format(**values) for each in NAMING[command])]


def test_every_command_is_tried():
    tried = {command.partition(" --")[0] for command in NAMING}
    assert not tried & ELSEWHERE
    # The group `report` is the command `report show`.
    assert tried | ELSEWHERE == {*commands_in(get_command(app))} - {"report"}


@pytest.mark.parametrize("command", NAMING)
def test_what_nothing_has_is_refused_as_by_the_api(run, api, command):
    code, out, err = run(*called(command, UNKNOWN), "--json")
    assert (code, out) == (4, "")
    problem = json.loads(err)
    assert (problem["exit_code"], problem["status"]) == (4, 404)


@pytest.mark.parametrize("command", NAMING)
def test_what_can_be_no_id_or_name_is_a_usage_error_and_is_not_sent(run, api, command):
    code, out, err = run(*called(command, NO_NAME), "--json")
    assert (code, out) == (2, "")
    problem = json.loads(err)
    assert (problem["exit_code"], problem["title"], bool(problem["detail"])) == (2, "usage", True)
    assert api.requests == []


@pytest.mark.parametrize("command", sorted(commands_in(get_command(app))))
@pytest.mark.parametrize("wrong", [["--no-such-option"], ["--api-url"]])
def test_a_usage_error_of_any_command_is_a_problem_on_request(run, api, command, wrong):
    code, out, err = run("--json", *command.split(), *wrong)
    assert (code, out) == (2, "")
    problem = json.loads(err)
    assert (problem["exit_code"], problem["title"]) == (2, "usage")
    assert wrong[0] in problem["detail"]
    assert run(*command.split(), "--json", *wrong)[2] == err
    assert "Error: " in run(*command.split(), *wrong)[2]


def test_a_usage_error_without_a_command_is_a_problem_on_request(run):
    for words in (["--json"], ["--json", "explode"], ["explode", "--json"], ["start", "--json"]):
        code, out, err = run(*words)
        assert (code, out, json.loads(err)["exit_code"]) == (2, "", 2)


def test_the_beginning_of_several_ids_is_a_usage_error(run, api):
    for number in (1, 2):
        made = f"abcd0000-0000-4000-8000-00000000000{number}"
        api.deliveries[made] = api_delivery(made)
    code, _, err = run("delivery", "show", "abcd")
    assert (code, "2 deliveries have an id that begins with 'abcd'; give more of the id" in err) == (2, True)


def api_delivery(made):
    from deliveries_api import delivery

    destination = {"id": made, "request": {"name": "a", "kind": "webhook", "url": None}}
    return delivery(destination) | {"id": made}


def test_a_template_that_was_removed_keeps_its_trend(run, api):
    measured = {name: {"value": 1, "low": None, "high": None} for name in ("recall", "precision", "harmed")}
    measured |= {name: {"value": 1, "low": None, "high": None} for name in ("seconds", "packets")}
    api.trend = [
        {"at": "2026-11-01T00:00:00Z", "line": "", "measured": measured, "images": {}, "whole": True}
    ]
    assert run("trend", "removed")[0] == 0
