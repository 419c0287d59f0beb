"""Commands on approval rules: add, list, preview, on, off, remove."""

import sys
from pathlib import Path

from pydantic import JsonValue, ValidationError

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_each, read_word
from dryrun_cli.commands.command import command, write, write_removed, wrote_json
from dryrun_cli.commands.ids import checked_name
from dryrun_cli.commands.yaml_file import read_mapping
from dryrun_cli.drawing.rule_view import draw_preview, draw_rules
from dryrun_cli.drawing.safe_text import inert
from dryrun_cli.errors import WrongUseError, nothing_named
from dryrun_cli.invocation import Common
from dryrun_contract.faults import faults_of
from dryrun_contract.production import RulePreview, RuleRequest, RuleView


@command
async def add(client: ApiClient, common: Common, path: Path) -> None:
    """`dryrun rule add FILE`. The file is checked completely before anything is sent."""
    loaded = read_mapping(path, "rule", "expected NAME, COLLECTORS, REPORTERS, KINDS, SUBNETS, …")
    loaded.setdefault("name", path.stem)
    try:
        wanted = RuleRequest.model_validate(loaded)
    except ValidationError as error:
        faults = [
            f"{place or 'the whole file'}: {reason}"
            for place, reason in faults_of(error.errors(include_url=False, include_input=False))
        ]
        raise WrongUseError("\n".join([f"{path} is not a rule:", *faults])) from None
    answer = await client.ask("POST", "/production/rules", body=wanted.model_dump(mode="json"))
    if wrote_json(common, answer):
        return
    view = read_word(RuleView, answer, "a rule")
    sys.stdout.write(f"{view.id}\n")
    name = inert(view.request.name)
    sys.stderr.write(f"It is off. To see what it would approve: dryrun rule preview {name}\n")


@command
async def list_all(client: ApiClient, common: Common) -> None:
    """`dryrun rule list`."""
    answer = await client.ask("GET", "/production/rules")
    write(common, answer, lambda _: draw_rules(_views(answer)))


@command
async def preview(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun rule preview NAME`."""
    rule = await _find(client, text)
    answer = await client.ask("GET", f"/production/rules/{rule.id}/preview")
    write(common, answer, lambda _: draw_preview(rule, read_word(RulePreview, answer, "a preview")))


@command
async def switch_on(client: ApiClient, common: Common, text: str, digest: str) -> None:
    """`dryrun rule on NAME --preview DIGEST`."""
    rule = await _find(client, text)
    answer = await client.ask("POST", f"/production/rules/{rule.id}/on", body={"preview": digest})
    if wrote_json(common, answer):
        return
    view = read_word(RuleView, answer, "a rule")
    now = view.approved - rule.approved
    sys.stdout.write(f"{inert(view.request.name)} is on; it approved {now}.\n")


@command
async def switch_off(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun rule off NAME`."""
    rule = await _find(client, text)
    answer = await client.ask("POST", f"/production/rules/{rule.id}/off")
    if not wrote_json(common, answer):
        sys.stdout.write(f"{inert(rule.request.name)} is off.\n")


@command
async def remove(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun rule remove NAME`."""
    rule = await _find(client, text)
    await client.ask("DELETE", f"/production/rules/{rule.id}")
    name = inert(rule.request.name)
    write_removed(common, str(rule.id), f"{name} is removed; what it approved stays approved.")


async def _find(client: ApiClient, text: str) -> RuleView:
    wanted = checked_name(text.strip().lower(), "rule")
    views = _views(await client.ask("GET", "/production/rules"))
    for view in views:
        if wanted in {view.request.name, str(view.id)}:
            return view
    raise nothing_named("rule", f"there is no rule {wanted}", "rule list")


def _views(answer: JsonValue) -> list[RuleView]:
    return read_each(RuleView, answer, "rules", "a rule")
