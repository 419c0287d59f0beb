import re
import resource
import socket
import subprocess
import sys
import time

import pytest
from terminal_text import DRYRUN
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

from dryrun_cli.api.client import ANSWER_BOUNDS
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.main import app
from dryrun_contract.report_reading import REPORT_BOUNDS


def complete(environment, words, **more):
    environment = environment | {
        "_DRYRUN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    found = subprocess.run(
        [DRYRUN], env=environment | more, capture_output=True, text=True, timeout=20, check=True
    )
    assert found.stderr == ""
    return found.stdout.split()


def test_commands_complete(environment):
    assert complete(environment, "dryrun te") == ["templates"]


def test_template_ids_are_completed(environment, api):
    assert complete(environment, "dryrun start s") == ["small"]


def test_sessions_complete_newest_first_and_last(environment, api):
    older = api.add_session(requested_at="2026-01-01T00:00:00Z")
    newer = api.add_session(requested_at="2026-01-02T00:00:00Z")
    assert complete(environment, "dryrun show ") == ["last", newer["id"], older["id"]]
    assert complete(environment, f"dryrun stop {older['id'][:13]}") == [older["id"]]


def test_text_that_a_shell_could_evaluate_is_never_offered(environment, api, monkeypatch):
    import fake_approval_api

    monkeypatch.setitem(fake_approval_api.SCRIPTS, "s$(touch x)", list)
    monkeypatch.setitem(fake_approval_api.SCRIPTS, "s;x", list)
    assert complete(environment, "dryrun start s") == []


@pytest.mark.parametrize("more", [{"DRYRUN_API_TOKEN": "wrong"}, {"DRYRUN_API_URL": "nonsense"}])
def test_a_completion_that_fails_offers_nothing(environment, api, more):
    assert complete(environment, "dryrun start s", **more) == []


def test_a_completion_never_waits_long(environment):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        begin = time.monotonic()
        assert complete(environment, "dryrun start s", DRYRUN_API_URL=url) == []
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion_script(shell):
    from typer.completion import get_completion_script

    script = get_completion_script(prog_name="dryrun", complete_var="_DRYRUN_COMPLETE", shell=shell)
    assert f"_DRYRUN_COMPLETE=complete_{shell}" in script


def test_help_appears_at_once(environment):
    def processor_seconds(*command):
        begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run(command, env=environment, capture_output=True, check=True)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin

    # As a share of what it cannot do without: machines differ, and other tests run beside this one.
    library = min(processor_seconds(sys.executable, "-c", "import typer") for _ in range(3))
    assert min(processor_seconds(DRYRUN, "--help") for _ in range(3)) < 2.5 * library


def test_help_names_the_exit_codes(run):
    _, stdout, _ = run("--help")
    listed = " ".join(stdout.partition("Exit codes:")[2].split())
    assert "5 criteria not met" in listed
    assert (
        "one of an experiment could not be measured, a reported scan of production is incomplete, or a "
        "destination did not pass its check, 2" in listed
    )
    assert "a discovery to decide on has changed or is unknown, 5" in listed
    assert [code.value for code in ExitCode if not re.search(rf"\b{code.value} [a-zA-Z]", listed)] == []


def test_no_help_cuts_the_summary_of_a_command():
    for name, group in groups_in("dryrun", get_command(app)):
        shown = group.get_help(Context(group, info_name=name, terminal_width=80, max_content_width=80))
        assert "..." not in shown.replace("ID:REVISION...", "").replace("[ARGS]...", ""), name


def test_no_help_has_types_or_ranges_as_programs_write_them():
    for name, group in groups_in("dryrun", get_command(app)):
        for each in (group, *group.commands.values()):
            shown = each.get_help(Context(each, info_name=name, terminal_width=200))
            assert not re.search(r"<(?:list\[)?\w+\]?>|[<>]=|\{[A-Z]", shown), (name, each.name)


def groups_in(name, command):
    if isinstance(command, TyperGroup):
        yield name, command
        for below, each in command.commands.items():
            yield from groups_in(f"{name} {below}", each)


def test_a_command_of_a_group_is_named_where_it_is(run):
    assert re.search(r"There is: \w+ experiment compare$", run("compare", "last")[2].strip())
    assert re.search(r"There is: \w+ production approve or \w+ delivery approve$", run("approve")[2].strip())
    assert "There is" not in run("nowhere")[2]


def test_the_version_is_printed(run):
    assert run("--version")[1].startswith("dryrun 0.")


def test_global_options_stand_before_or_after_the_command(run, api):
    elsewhere = {"DRYRUN_API_URL": "http://127.0.0.1:9"}
    before = run("--json", "--api-url", api.url, "list", **elsewhere)
    after = run("list", "--json", "--api-url", api.url, **elsewhere)
    assert before == after == (0, "[]\n", "")


def test_help_imports_no_command_and_each_command_is_there():
    program = (
        "import pkgutil, sys, dryrun_cli.main\n"
        "from dryrun_cli import commands\n"
        "print(sorted(each for each in sys.modules if each.startswith('dryrun_cli.commands.')))\n"
        "print('httpx2' in sys.modules or 'yaml' in sys.modules)\n"
        "for each in pkgutil.iter_modules(commands.__path__):\n"
        "    assert getattr(commands, each.name).__name__ == f'dryrun_cli.commands.{each.name}'\n"
        "print(hasattr(commands, '__wrapped__'))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert told.stdout.splitlines() == ["[]", "False", "False"]


@pytest.mark.parametrize("module", ["sessions", "production", "rules", "deliveries"])
def test_a_command_imports_the_reports_models_only_where_it_reads_one(module):
    program = f"import sys, dryrun_cli.commands.{module}; print('dryrun_contract.report' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert told.stdout == "False\n"


def test_the_longest_answer_is_a_report():
    assert ANSWER_BOUNDS == REPORT_BOUNDS
