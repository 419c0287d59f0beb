"""`dryrun rule`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli import commands
from dryrun_cli.invocation import Common
from dryrun_cli.options import CommandGroup, Running

rule_app = CommandGroup("Rules that approve production discoveries.", no_args_is_help=True)
RuleArgument = Annotated[str, typer.Argument(metavar="NAME", help="The rule's name, or its id.")]


@rule_app.command("add")
def add_rule(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What it approves (YAML or JSON).")],
) -> Running:
    """Add a rule. It is off until it is switched on."""
    return commands.rules.add(common, file)


@rule_app.command("list")
def list_rules(common: Common) -> Running:
    """List rules, by name."""
    return commands.rules.list_all(common)


@rule_app.command("preview")
def preview_rule(common: Common, rule: RuleArgument) -> Running:
    """Show what a rule would approve now, and the digest that `on` needs."""
    return commands.rules.preview(common, rule)


@rule_app.command("on")
def switch_rule_on(
    common: Common,
    rule: RuleArgument,
    preview: Annotated[
        str, typer.Option("--preview", metavar="DIGEST", help="As `dryrun rule preview` printed it.")
    ],
) -> Running:
    """Switch a rule on: what its preview showed is approved now."""
    return commands.rules.switch_on(common, rule, preview)


@rule_app.command("off")
def switch_rule_off(common: Common, rule: RuleArgument) -> Running:
    """Switch a rule off; what it approved stays approved."""
    return commands.rules.switch_off(common, rule)


@rule_app.command("remove")
def remove_rule(common: Common, rule: RuleArgument) -> Running:
    """Delete a rule; what it approved stays approved."""
    return commands.rules.remove(common, rule)
