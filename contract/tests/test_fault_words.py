"""No word of the library that reads a value gets to people."""

from datetime import date
from enum import Enum
from ipaddress import IPv4Network
from typing import Annotated, Literal
from uuid import UUID

import pytest
from pydantic import Field, HttpUrl, TypeAdapter, ValidationError

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.fault_words import in_words


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Held(Word):
    name: str


class Tagged(Word):
    type: Literal["a"]


class OtherTagged(Word):
    type: Literal["b"]


A_TIME = "must be a time with its zone, such as 2026-01-31T09:30:00Z (RFC 3339)"
A_NAME = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
TAGGED = Annotated[Tagged | OtherTagged, Field(discriminator="type")]


@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        (int, "huge", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (float, "high", "must be a number"),
        (bool, "perhaps", "must be true or false"),
        (str, 1, "must be text"),
        (list[int], 1, "must be a list"),
        (dict[str, int], 1, "must be a map of names to values"),
        (Held, 1, "must be a map of names to values"),
        (Held, {}, "is missing"),
        (Held, {"name": "", "nmae": ""}, "is not known here"),
        (TAGGED, {}, "has no 'type'"),
        (TAGGED, {"type": "c"}, "has a 'type' that is none of 'a', 'b'"),
        (Literal["on", "off"], "of", "must be 'on' or 'off'"),
        (Colour, "green", "must be 'red' or 'blue'"),
        (Annotated[int, Field(ge=1)], 0, "must be at least 1"),
        (Annotated[int, Field(le=9)], 10, "must be at most 9"),
        (Annotated[float, Field(gt=0)], 0, "must be more than 0"),
        (Annotated[float, Field(lt=1)], 1, "must be less than 1"),
        (Annotated[str, Field(min_length=1)], "", "must not be empty"),
        (Annotated[str, Field(max_length=2)], "abc", "must have at most 2 characters"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "must have at most 1 value"),
        (Annotated[list[int], Field(min_length=2)], [1], "must have at least 2 values"),
        (A_NAME, "A b", "must be 1 to 64 characters of a-z, 0-9, _ and -, the first of a-z"),
        (Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], "x", "must be 64 characters of 0-9 and a-f"),
        (
            Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$")],
            "a\x1b",
            "must not be empty or have control characters",
        ),
        (Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")], "a\x1b", "must not have control characters"),
        (Annotated[str, Field(pattern=r"^[^\x00]*$")], "a\x00", "must not have the character U+0000"),
        (Annotated[str, Field(pattern="^a|b$")], "c", "must match the pattern ^a|b$"),
        (UtcTime, "yesterday", A_TIME),
        (UtcTime, "2026-13-01", A_TIME),
        (date, "soon", "must be a date, such as 2026-01-31"),
        (UUID, "1234", "must be a complete id (a UUID)"),
        (HttpUrl, "host", "must be a URL, such as https://host.example"),
        (HttpUrl, "ftp://host", "must begin with 'http' or 'https'"),
        (IPv4Network, "shop", "must be an address or a network, such as 192.0.2.7 or 192.0.2.0/24"),
    ],
)
def test_a_fault_is_told_in_words_of_people_without_the_value(form, value, words):
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(form).validate_python(value)
    assert in_words(refused.value.errors()[0]) == words


def test_what_has_no_words_yet_keeps_those_of_the_library():
    assert in_words({"type": "new", "msg": "Input should be round"}) == "must be round"
    assert in_words({"type": "value_error", "msg": "Value error, the name is taken"}) == "the name is taken"
