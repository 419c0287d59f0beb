from pathlib import Path

from dryrun_contract.schemas import render_schemas

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def test_the_committed_schemas_are_those_of_the_models():
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert committed == render_schemas(), "run: python -m dryrun_contract.schemas docs/schemas"
