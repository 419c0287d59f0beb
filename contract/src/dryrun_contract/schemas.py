"""Exports the contract as JSON Schema: `python -m dryrun_contract.schemas docs/schemas`."""

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter

from dryrun_contract import CONTRACT_VERSION
from dryrun_contract.baseline import Baseline
from dryrun_contract.collector_config import CollectorConfig
from dryrun_contract.discovery import COLLECTOR_LINE
from dryrun_contract.event import Event, EventPage, Snapshot
from dryrun_contract.fleet import Fleet
from dryrun_contract.ground_truth import GroundTruth
from dryrun_contract.pool import Pool
from dryrun_contract.problem import Problem
from dryrun_contract.report import Report
from dryrun_contract.session import Session, SessionRequest, SessionView
from dryrun_contract.template import Template, TemplateSummary

_SCHEMAS: dict[str, TypeAdapter[object]] = {
    "baseline": TypeAdapter(Baseline),
    "collector-config": TypeAdapter(CollectorConfig),
    "collector-line": COLLECTOR_LINE,  # type: ignore[dict-item]  # an adapter of a union is one of objects
    "event": TypeAdapter(Event),
    "event-page": TypeAdapter(EventPage),
    "fleet": TypeAdapter(Fleet),
    "ground-truth": TypeAdapter(GroundTruth),
    "pool": TypeAdapter(Pool),
    "problem": TypeAdapter(Problem),
    "report": TypeAdapter(Report),
    "session": TypeAdapter(Session),
    "session-request": TypeAdapter(SessionRequest),
    "session-view": TypeAdapter(SessionView),
    "snapshot": TypeAdapter(Snapshot),
    "template": TypeAdapter(Template),
    "template-summary": TypeAdapter(TemplateSummary),
}


def render_schemas() -> dict[str, str]:
    """Return file name → JSON Schema text (draft 2020-12), one for each document of the contract."""
    rendered = {}
    for name, adapter in _SCHEMAS.items():
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:dryrun:schema:{name}:{CONTRACT_VERSION}",
            **adapter.json_schema(),
        }
        rendered[f"{name}.schema.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return rendered


def main() -> None:
    """Write every schema into the folder that the only argument names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in render_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
