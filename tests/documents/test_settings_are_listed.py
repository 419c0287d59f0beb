"""Every setting of a service stands in its page's table, with its default."""

import json
import re
from typing import Any

import pytest
from named_code import ROOT
from pydantic import BaseModel, TypeAdapter

from approval_api.deliveries.sending.settings import DeliverySettings
from approval_api.settings import Settings as ApprovalSettings
from docker_guard.rules.policy import Policy
from dryrun_orchestrator.settings import Settings as OrchestratorSettings

OPERATIONS = ("docs/operations.md",)
_CODE = re.compile(r"`([^`]+)`")


def rows_of(pages, head):
    """Yield the cells of every row in the tables of `pages` whose first row begins with `head`."""
    for page in pages:
        inside = False
        for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
            inside = line.startswith("|") and (inside or line.startswith(f"| {head}"))
            if inside and line.startswith("| `"):
                yield [cell.strip() for cell in line.strip("|").split(" | ")]


def names_in(cell, known):
    """Return the names in a cell; `…_X` after a first name begins as that does, as far as makes it known."""
    first, *others = _CODE.findall(cell)
    cuts = [first[: match.start()] for match in re.finditer("_", first)][::-1]
    written_out = [
        next((name for cut in cuts if (name := cut + other.removeprefix("…")) in known), other)
        if other.startswith("…")
        else other
        for other in others
    ]
    return [name.removesuffix("_FILE") for name in (first, *written_out)]


def default_of(model: type[BaseModel], field: str):
    """Return a field's default as JSON has it, None for one that is required or empty."""
    described = model.model_fields[field]
    if described.is_required() or described.default in ("", ()):
        return None
    default = TypeAdapter(Any).dump_python(described.default, mode="json")
    return list(default) if isinstance(default, tuple) else default


def read_default(code):
    try:
        return json.loads(code)
    except ValueError:
        return code


def listed(rows, known):
    """Return the default that the rows state for each name, None where they state none."""
    found = {}
    for name_cell, default_cell, *_ in rows:
        names = names_in(name_cell, known)
        codes = [read_default(code) for code in _CODE.findall(default_cell)] or [None]
        for name, default in zip(names, codes * len(names) if len(codes) == 1 else codes, strict=True):
            assert name not in found
            found[name] = default
    return found


@pytest.mark.parametrize(
    ("model", "prefix", "pages"),
    [
        (ApprovalSettings, "APPROVAL_", ("approval/README.md",)),
        (OrchestratorSettings, "ORCHESTRATOR_", OPERATIONS),
    ],
)
def test_a_services_settings_stand_in_its_table_with_their_defaults(model, prefix, pages):
    settings = {f"{prefix}{field.upper()}": default_of(model, field) for field in model.model_fields}
    rows = [row for row in rows_of(pages, "variable") if row[0].startswith(f"`{prefix}") and len(row) == 3]
    assert listed(rows, settings.keys()) == settings


def test_the_fields_of_the_guards_policy_stand_in_its_table_with_their_defaults():
    fields = {field: default_of(Policy, field) for field in Policy.model_fields}
    assert listed(rows_of(OPERATIONS, "field"), fields.keys()) == fields


def test_the_delivering_processs_settings_stand_in_its_tables():
    rows = rows_of(("docs/deliveries.md", "docs/notifications.md"), "variable")
    named = {name for cell, *_ in rows for name in names_in(cell, set())}
    assert named == {f"DELIVERY_{field.upper()}" for field in DeliverySettings.model_fields}
