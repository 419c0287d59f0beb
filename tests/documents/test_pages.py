"""Every page names only what exists, has no command that would be refused, and no table that a gap cuts."""

import pytest
from documented import broken_tables, current_pages, missing_names, refused_commands, why_refused
from named_code import ROOT


@pytest.mark.parametrize("page", current_pages(), ids=str)
def test_everything_that_a_page_names_exists(page):
    assert list(missing_names(page)) == []


@pytest.mark.parametrize("page", current_pages(), ids=str)
def test_every_command_of_a_page_would_be_taken(page):
    assert list(refused_commands(page)) == []


@pytest.mark.parametrize("page", current_pages(), ids=str)
def test_every_table_is_whole(page):
    assert list(broken_tables((ROOT / page).read_text(encoding="utf-8"))) == []


def test_pages_of_every_folder_are_checked():
    found = set(map(str, current_pages()))
    assert {"README.md", "CONTRIBUTING.md", "guard/README.md", "docs/fleet.md", "docs/where.md"} <= found
    assert "docs/collectors/network.md" in found


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        ("docs", "dryrun_cli.nowhere"),
        ("docs", "nowhere.py"),
        ("docs", "templates/nowhere.yml"),
        ("replica", "recipes.matching.match(service)"),
        ("guard", "guard/tests/test_nowhere.py"),
    ],
)
def test_a_name_that_does_not_exist_is_found(tmp_path, monkeypatch, folder, named):
    page = ROOT / folder / "a page of a test.md"
    monkeypatch.setattr(type(page), "read_text", lambda *_, **__: f"see `{named}`\n\n```\n`not.this`\n```\n")

    assert list(missing_names(page.relative_to(ROOT))) == [named]


@pytest.mark.parametrize(
    ("program", "call", "why"),
    [
        ("dryrun", "follow ID", "no command follow"),
        ("dryrun", "delivery shew ID", "no command shew"),
        ("dryrun", "report last --outputs x", "no option --outputs"),
        ("dryrun", "start small --watch [--seed N]  # and more", None),
        ("dryrun", "report ID [--format json\\|csv] > file", None),
        ("dryrun-local", "images build --force", None),
        ("dryrun-local", "images make", "no command make"),
    ],
)
def test_a_call_is_judged_by_commands_and_options(program, call, why):
    assert why_refused(program, call) == why


def test_a_table_that_is_cut_or_has_a_row_of_another_width_is_found():
    whole = "| a | b |\n|---|---|\n| 1 | 2 \\| 3 |\n"
    assert list(broken_tables(whole)) == []
    assert list(broken_tables(f"{whole}\n| 4 | 5 |\n")) == ["| 4 | 5 |"]
    assert list(broken_tables(f"{whole}| 4 |\n")) == ["| 4 |"]
