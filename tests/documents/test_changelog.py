"""Each version of the changelog has each heading once; merging two branches can double them."""

import re

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


def test_no_version_has_a_heading_twice():
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
