"""Each version of the changelog has each heading and entry once; merging two branches can double them."""

import re
from collections import Counter

import pytest
from named_code import ROOT


def repeated_headings(text):
    seen, repeated, version = set(), [], ""
    for level, title in re.findall(r"^(#{2,4}) (.+)$", text, re.MULTILINE):
        if level == "##":
            version = title
        elif (version, title) in seen:
            repeated.append(f"{version}: {title}")
        seen.add((version, title))
    return repeated


def repeated_entries(text):
    """Return entries of one version that begin alike: two branches may have changed the same one."""
    repeated = []
    for version in text.split("\n## "):
        begins = Counter(re.findall(r"^- (.{60})", version, re.MULTILINE))
        repeated += [begin for begin, times in begins.items() if times > 1]
    return repeated


def test_no_version_has_a_heading_or_an_entry_twice():
    assert repeated_entries((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) == []
    assert repeated_headings((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("## 2.0.0\n### Added\n#### Fleet\n### Fixed\n## 1.0.0\n### Added\n", []),
        ("## 2.0.0\n### Added\n- a\n### Fixed\n### Added\n", ["2.0.0: Added"]),
    ],
)
def test_a_heading_that_occurs_twice_is_found(text, repeated):
    assert repeated_headings(text) == repeated


def test_an_entry_that_occurs_twice_with_another_number_is_found():
    entry = "- `network` finds hosts, services, products and versions by nmap; `quick` asks {} ports.\n"
    twice = entry.format(1) + "- other\n" + entry.format(2)
    assert repeated_entries("# Log\n\n## 2.0.0\n" + twice) == [entry[2:62]]
    assert repeated_entries("# Log\n\n## 2.0.0\n" + entry + "\n## 1.0.0\n" + entry) == []
