"""The page that introduces a package or these tests lists each folder; that of the contract, each module."""

import pytest
from named_code import ROOT

_PAGES = {"approval": "docs/architecture.md"}
"""Where it is not the README of the distribution."""
HOUSES = {"tests/README.md": ROOT / "tests"} | {
    _PAGES.get(package.parts[-3], f"{package.parts[-3]}/README.md"): package
    for package in sorted(ROOT.glob("*/src/*"))
}


def folders_of(house):
    """Return the folders with code of ours; what was left behind by another branch has none."""
    return {path.name for path in house.iterdir() if any(path.glob("*.py"))}


@pytest.mark.parametrize("page", HOUSES)
def test_a_page_lists_every_folder(page):
    text = (ROOT / page).read_text(encoding="utf-8")

    assert [name for name in sorted(folders_of(HOUSES[page])) if f"`{name}/" not in text] == []


def test_the_page_of_the_contract_lists_every_module():
    text = (ROOT / "contract/README.md").read_text(encoding="utf-8")
    modules = {path.name for path in (ROOT / "contract/src/dryrun_contract").glob("[a-z]*.py")}

    assert modules
    assert [name for name in sorted(modules) if f"`{name}`" not in text] == []


def test_folders_are_found():
    assert {"session", "journal", "fleet"} <= folders_of(HOUSES["orchestrator/README.md"])
    assert "scoring" in folders_of(HOUSES["docs/architecture.md"])
