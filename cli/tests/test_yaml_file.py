"""A small file may describe something large: it is judged before it is built."""

import time
from itertools import pairwise

import pytest

from dryrun_cli.commands.yaml_file import MOST_VALUES, read_mapping
from dryrun_cli.errors import WrongUseError


def levels(first, each):
    names = "abcdefghij"
    lines = [f"{name}: &{name} {each(before)}" for before, name in pairwise(names)]
    return "\n".join([f"a: &a {first}", *lines])


LAUGHS = levels("[x, x, x, x, x, x, x, x, x, x]", lambda name: f"[{', '.join([f'*{name}'] * 10)}]")
MERGED = levels("{x: 1}", lambda name: f"{{<<: [{', '.join([f'*{name}'] * 10)}]}}")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "criteria.yml"


def read(file, text):
    file.write_text(text)
    return read_mapping(file, "criteria", "expected NAME: LIMIT lines")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "more than 4000 values with its aliases replaced"),
        (MERGED, "more than 4000 values with its aliases replaced"),
        ("a: &a [*a]", "a value within itself at line 1"),
        ("a: &a {b: *a}", "a value within itself at line 1"),
        ("a: " + "1:" * 20_000 + "1", "a number of 40001 characters"),
        ("a: " + "9" * 5_000, "a number of 5000 characters"),
        ("a: 0x" + "f" * 50_000, "a number of 50002 characters"),
        ("a: - ", "neither YAML nor JSON"),
        ("[" * 50_000, "neither YAML nor JSON: maximum recursion depth"),
    ],
    ids=["aliases", "merges", "itself", "its map", "sixties", "digits", "hexadecimal", "odd", "deep"],
)
def test_what_would_grow_is_refused_at_once_with_its_reason(file, text, why):
    begun = time.process_time()
    with pytest.raises(WrongUseError, match=why):
        read(file, text)
    assert time.process_time() - begun < 5


def test_a_file_may_use_aliases_and_hold_as_many_values_as_the_api_takes(file):
    assert read(file, "a: &a {b: 1}\nc: {<<: *a, d: *a}\n") == {"a": {"b": 1}, "c": {"b": 1, "d": {"b": 1}}}
    most = MOST_VALUES - 3  # the mapping, the key and the list
    assert len(read(file, f"a: [{', '.join(['1'] * most)}]")["a"]) == most
    with pytest.raises(WrongUseError, match="more than 4000 values"):
        read(file, f"a: [{', '.join(['1'] * (most + 1))}]")


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1.0e+999", "[.nan]"])
def test_a_number_that_no_json_has_is_a_fault_of_the_file(file, number):
    with pytest.raises(WrongUseError, match=r"a\.(list\.0\.)?float: Input should be a finite number"):
        read(file, f"a: {number}")


@pytest.mark.parametrize("text", ["", "# nothing\n", "5", "[a]"])
def test_what_is_no_mapping_is_not_taken(file, text):
    with pytest.raises(WrongUseError, match="has no criteria"):
        read(file, text)
