"""`dryrun rule`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli.options import ApiUrlOption, JsonOption, common_options, run
from dryrun_cli.whole_help import WholeHelpGroup

rule_app = typer.Typer(
    cls=WholeHelpGroup,
    help="Rules that approve production discoveries.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
RuleArgument = Annotated[str, typer.Argument(metavar="NAME", help="The rule's name, or its id.")]


@rule_app.command("add")
def add_rule(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What it approves (YAML or JSON).")],
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Make a rule. It is off until it is switched on."""
    from dryrun_cli.commands import rules

    run(rules.add(common_options(context, json_output, api_url), file))


@rule_app.command("list")
def list_rules(context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None) -> None:
    """List rules, by name."""
    from dryrun_cli.commands import rules

    run(rules.list_all(common_options(context, json_output, api_url)))


@rule_app.command("preview")
def preview_rule(
    context: typer.Context, rule: RuleArgument, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """Show what a rule would approve now, and the digest that `on` needs."""
    from dryrun_cli.commands import rules

    run(rules.preview(common_options(context, json_output, api_url), rule))


@rule_app.command("on")
def switch_rule_on(
    context: typer.Context,
    rule: RuleArgument,
    preview: Annotated[
        str, typer.Option("--preview", metavar="DIGEST", help="As `dryrun rule preview` printed it.")
    ],
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Switch a rule on: what its preview showed is approved now."""
    from dryrun_cli.commands import rules

    run(rules.switch_on(common_options(context, json_output, api_url), rule, preview))


@rule_app.command("off")
def switch_rule_off(
    context: typer.Context, rule: RuleArgument, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """Switch a rule off; what it approved stays approved."""
    from dryrun_cli.commands import rules

    run(rules.switch_off(common_options(context, json_output, api_url), rule))


@rule_app.command("remove")
def remove_rule(context: typer.Context, rule: RuleArgument, api_url: ApiUrlOption = None) -> None:
    """Delete a rule; what it approved stays approved."""
    from dryrun_cli.commands import rules

    run(rules.remove(common_options(context, False, api_url), rule))
