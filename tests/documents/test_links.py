"""Links between pages lead somewhere: to a file that exists, and to a heading of it."""

import re

import pytest
from documented import pages
from named_code import ROOT

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
_CODE = re.compile(r"```.*?```", re.DOTALL)


def anchors(text):
    """Return the anchors of a page's headings, as its viewers make them."""
    headings = re.findall(r"^#+ +(.+)$", _CODE.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", each)) for each in headings)
    return {each.strip().lower().replace(" ", "-") for each in plain}


def broken(page):
    text = _CODE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for file, anchor in _LINK.findall(text):
        target = (ROOT / page).parent / file if file else ROOT / page
        if not target.exists():
            yield file
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
            yield f"{file}#{anchor}"


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_link_leads_somewhere(page):
    assert list(broken(page)) == []


def test_a_link_to_nowhere_is_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "# One thing\n\n[a](none.md) [b](#no-such) [c](#one-thing) [d](page.md) [e](https://x.example)\n"
    )

    assert list(broken(page)) == ["none.md", "#no-such"]
