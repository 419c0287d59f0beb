"""Help of `dryrun-local` as a terminal of 80 columns shows it."""

from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

from dryrun_local.main import app


def test_no_help_cuts_the_summary_of_a_command():
    for name, group in groups_in("dryrun-local", get_command(app)):
        shown = group.get_help(Context(group, info_name=name, terminal_width=80, max_content_width=80))
        assert "..." not in shown.replace("[ARGS]...", ""), name


def groups_in(name, command):
    if isinstance(command, TyperGroup):
        yield name, command
        for below, each in command.commands.items():
            yield from groups_in(f"{name} {below}", each)
