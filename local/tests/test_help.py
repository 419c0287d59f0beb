"""Help of `dryrun-local` as a terminal of 80 columns shows it."""

import re

from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

from dryrun_local.main import app


def test_no_help_cuts_the_summary_of_a_command():
    for name, group in groups_in("dryrun-local", get_command(app)):
        shown = group.get_help(Context(group, info_name=name, terminal_width=80, max_content_width=80))
        assert "..." not in shown.replace("[ARGS]...", ""), name


def test_the_help_of_reset_names_what_takes_long_to_have_again():
    reset = dict(groups_in("dryrun-local", get_command(app)))["dryrun-local"].commands["reset"]
    for lost in ("allowlist", "imported networks", "scanners"):
        assert lost in (reset.help or "")


def test_no_help_has_types_or_ranges_as_programs_write_them():
    for name, group in groups_in("dryrun-local", get_command(app)):
        for each in (group, *group.commands.values()):
            shown = each.get_help(Context(each, info_name=name, terminal_width=200))
            assert not re.search(r"<(?:list\[)?\w+\]?>|[<>]=|\{[A-Z]", shown), (name, each.name)


def test_no_usage_repeats_the_dots_of_what_may_be_repeated():
    for name, group in groups_in("dryrun-local", get_command(app)):
        for each in group.commands.values():
            usage = each.get_usage(Context(each, info_name=name))
            assert not re.search(r"\.{4}|…\.", usage), (name, usage)


def groups_in(name, command):
    if isinstance(command, TyperGroup):
        yield name, command
        for below, each in command.commands.items():
            yield from groups_in(f"{name} {below}", each)


def test_the_help_names_the_exit_codes_of_every_command():
    group = get_command(app)
    shown = " ".join(group.get_help(Context(group, info_name="dryrun-local")).split())
    assert "Exit codes: 0 done, 1 failed or refused, with the reason, 2 the command line is wrong" in shown
    commands = dict(groups_in("dryrun-local", group))["dryrun-local"].commands
    for name, told in {"": shown, "demo": commands["demo"].help, "ci": commands["ci"].help}.items():
        assert "130 Ctrl-C" in told, name
        assert "143 SIGTERM" in told, name
