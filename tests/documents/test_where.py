"""The index answers each question by one or two files, and names what to look for in each."""

import importlib
import re

import pytest
from documented import current_pages
from named_code import ROOT

TEXT = (ROOT / "docs" / "where.md").read_text(encoding="utf-8")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(?:#[^)\s]+)?\)")
SECTIONS = {
    title: [row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("| ")][1:]
    for title, _, text in (part.partition("\n") for part in TEXT.split("\n## ")[1:])
}
ROWS = [row for rows in SECTIONS.values() for row in rows]


def fault_of(label, file):
    """Return what is wrong with a link: no file, or nothing of that name in it."""
    path = (ROOT / "docs" / file).resolve()
    if not path.is_file():
        return f"{file} does not exist"
    if path.suffix != ".py" or "/src/" not in file:
        return None
    name = re.fullmatch(rf"`{path.stem}((?:\.\w+)+)`", label)
    if name is None:
        return f"{label} names nothing in {path.name}"
    found = importlib.import_module(
        ".".join(path.relative_to(ROOT).with_suffix("").parts[2:]).removesuffix(".__init__")
    )
    for step in name[1].split(".")[1:]:
        found = getattr(found, step, None)
    return None if found is not None else f"{label} is not in {file}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_question_has_a_short_answer_and_one_or_two_files(row):
    question, answer, where = row
    links = _LINK.findall(where)

    assert question.endswith("?")
    assert answer.endswith(".")
    assert len(answer) <= 320
    assert 1 <= len(links) <= 2
    assert [fault for fault in map(fault_of, *zip(*links, strict=True)) if fault] == []


def test_no_question_is_asked_twice():
    questions = [question for question, *_ in ROWS]
    assert len(questions) >= 60
    assert len(set(questions)) == len(questions)


def test_every_subject_has_its_questions():
    assert list(SECTIONS) == [
        "A session's life",
        "Isolation",
        "Cleanup",
        "Collectors",
        "Templates and networks",
        "Scoring and reports",
        "API and people",
        "Limits",
        "Deliveries",
        "Operating",
        "Fleet",
        "Developing",
    ]
    assert all(len(rows) >= 4 for rows in SECTIONS.values())


def test_every_page_where_a_reader_begins_leads_here():
    folders = [str(page) for page in current_pages() if len(page.parts) == 2 and page.name == "README.md"]
    begins = ["README.md", "CONTRIBUTING.md", *folders]

    assert "guard/README.md" in begins
    silent = [
        page for page in begins if page != "requirements/README.md" and "docs/where.md" not in read(page)
    ]
    assert silent == []


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("label", "file"),
    [
        ("nowhere.md", "nowhere.md"),
        ("`gate.Nothing`", "../guard/src/docker_guard/calls/gate.py"),
        ("gate.py", "../guard/src/docker_guard/calls/gate.py"),
        ("`gate`", "../guard/src/docker_guard/calls/gate.py"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(label, file):
    assert fault_of(label, file) is not None
