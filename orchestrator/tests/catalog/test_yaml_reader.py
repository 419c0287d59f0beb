import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dryrun_orchestrator.catalog import yaml_reader
from dryrun_orchestrator.catalog.yaml_reader import MAX_DEPTH, read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList, Unusable


def read(text, **options):
    report = FaultList("a.yml")
    node = read_yaml(text if isinstance(text, bytes) else text.encode(), report, **options)
    return node, [f"{fault.where}: {fault.what}" for fault in report.faults]


def plain(node):
    match node.content:
        case dict() as entries:
            return {key: plain(entry) for key, entry in entries.items()}
        case list() as items:
            return [plain(item) for item in items]
        case content:
            return content


def lines_of(node):
    """What a node holds, each value with its line."""
    match node.content:
        case dict() as entries:
            return node.line, {key: lines_of(entry) for key, entry in entries.items()}
        case list() as items:
            return node.line, [lines_of(item) for item in items]
        case content:
            return node.line, content


texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
documents = st.recursive(
    texts | st.integers(-(10**14), 10**14),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_texts_numbers_lists_and_maps_arrive_as_they_were_written(document):
    node, faults = read(json.dumps(document))
    assert faults == []
    assert plain(node) == document


@given(st.binary(max_size=200) | st.text(alphabet="ab:- \n[]{}&*!|>'\"<=?#%@`,\\xU0~\t", max_size=200))
def test_no_input_raises_and_what_gives_no_tree_gives_a_fault(raw):
    node, faults = read(raw if isinstance(raw, bytes) else raw.encode())
    assert node is not None or len(faults) == 1


@given(st.text(alphabet="ab:-. \n[]{}&*!|>'\"<=?#%@`,\\xU0~\t\r\x85\ufeff", max_size=60))
@example("a: !")
@example("? \nb: c")
@example("a: b\t")
@example("a: |#")
@example("---")
def test_a_document_is_read_as_pyyaml_reads_it(text):
    fast, faults = read(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_reader, "_FastComposer", yaml_reader._Composer)
        slow, slow_faults = read(text)
    assert slow is None or (lines_of(fast), faults) == (lines_of(slow), slow_faults)
    assert slow is not None or text not in ("a: b\t", "a: |#") or fast is None


def test_every_duplicate_key_is_a_fault_with_both_lines():
    node, faults = read("a: 1\nb:\n  c: 1\n  c: 2\na: 2\n")
    assert plain(node) == {"a": 1, "b": {"c": 1}}
    assert faults == [
        "a.yml:4: b.c: the key 'c' occurs here twice, first in line 3",
        "a.yml:5: a: the key 'a' occurs here twice, first in line 1",
    ]


def test_aliases_work_and_keep_the_place_where_they_stand():
    node, faults = read("a: &x {k: v}\nb: *x\n")
    assert faults == []
    assert plain(node) == {"a": {"k": "v"}, "b": {"k": "v"}}
    assert node.entries()["b"].entries()["k"].path == "b.k"


def test_aliases_that_stand_for_billions_are_refused_at_once():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    started = time.monotonic()
    node, faults = read("\n".join(lines))
    assert node is None
    assert len(faults) == 1
    assert "too large with its aliases replaced" in faults[0]
    assert time.monotonic() - started < 5


def test_a_long_text_repeated_by_aliases_is_refused():
    node, faults = read(f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]")
    assert node is None
    assert "too large" in faults[0]


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}"])
def test_an_alias_inside_what_it_stands_for_is_refused(text):
    node, faults = read(text)
    assert node is None
    assert f"{MAX_DEPTH} levels" in faults[0]


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "- " * 50_000, "? " * 50_000])
def test_deep_nesting_is_refused_before_it_costs_the_stack(text):
    node, faults = read(text)
    assert node is None
    assert faults == [f"a.yml: is nested deeper than {MAX_DEPTH} levels"]


@pytest.mark.parametrize(
    "text", ["a: !!python/object/apply:os.system [x]", "a: !reset null", "a: !!binary aGk=", "a: !!set {x}"]
)
def test_a_tag_constructs_nothing(text):
    node, faults = read(text)
    assert node.entries()["a"].content == Unusable("a value with a tag", recorded=True)
    assert len(faults) == 1
    assert "has no meaning here" in faults[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.10", "a number"),
        ("0x10", "a number"),
        ("010", "a number"),
        ("22:22", "a number"),
        ("9" * 30, "a number"),
        ("2026-01-31", "a date"),
        ("yes", "yes or no"),
        ("", "empty"),
        ("~", "empty"),
    ],
)
def test_what_yaml_would_turn_into_something_else_is_no_text(text, words):
    node, faults = read(f"a: {text}")
    assert faults == []
    assert node.entries()["a"].content == Unusable(words)
    assert node.entries()["a"].text() is None
    assert node.report.faults[0].what.startswith(f"is {words}; expected a text")


def test_a_fault_is_reported_once():
    node, faults = read("a: !x y")
    assert node.entries()["a"].text() is None
    assert len(node.report.faults) == len(faults) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<<: {a: b}", "a.yml:1: the merge key '<<' is outside the subset: write it out"),
        ("a: {8080: x}", "a.yml:1: a: a key is not a text; write it in quotes"),
        ("a: {[x]: y}", "a.yml:1: a: a key is not a text; write it in quotes"),
        ('a: "x\\e[31m"', "a.yml:1: a: holds a control character"),
        ('a: "\\uD800"', "a.yml:1: a: holds a control character"),
        ('a: {"\\0": b}', "a.yml:1: a: a key holds a control character"),
        ("", "a.yml: is empty"),
        ("# nothing", "a.yml: is empty"),
    ],
)
def test_what_could_surprise_is_a_fault_with_its_place(text, fault):
    _, faults = read(text)
    assert faults == [fault]


@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "a: *x", "---\na: b\n---\nc: d", '"\\UFFFFFFFF"', "%YAML 9.9\n--- a"]
)
def test_what_is_not_one_yaml_document_is_one_fault(text):
    node, faults = read(text)
    assert node is None
    assert len(faults) == 1
    assert "is not YAML" in faults[0]


def test_another_encoding_is_reported_with_the_byte():
    node, faults = read(b"a: \xff")
    assert node is None
    assert faults == ["a.yml: is not UTF-8 at byte 3"]


def test_texts_are_unescaped_as_asked_but_keys_are_not():
    node, faults = read("$a: $b", unescape=lambda text: text.replace("$", "!"))
    assert faults == []
    assert plain(node) == {"$a": "!b"}
