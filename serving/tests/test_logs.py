"""A service logs one bounded line of JSON for each record."""

import json
import logging

import pytest

from dryrun_serving.logs import JsonFormatter


def test_a_line_has_what_a_record_has():
    record = logging.makeLogRecord({"msg": "refused", "name": "door", "levelname": "WARNING", "status": 429})
    record.exc_info = (OSError, OSError("no space"), None)
    line = json.loads(JsonFormatter().format(record))
    assert line.pop("at")
    assert line == {
        "level": "warning",
        "logger": "door",
        "message": "refused",
        "status": 429,
        "error": "OSError: no space",
    }


def test_a_line_is_bounded_whatever_is_logged():
    error = ValueError("e" * 100_000)
    record = logging.makeLogRecord({"msg": "m" * 50_000, "path": "p" * 50_000, "levelname": "INFO"})
    record.exc_info = (ValueError, error, None)
    assert len(JsonFormatter().format(record)) < 30_000


class Unwritable:
    def __str__(self):
        raise RuntimeError


class Endless:
    def __str__(self):
        return "e" * 100_000


CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    "value",
    [
        Unwritable(),
        [Unwritable()],
        Endless(),
        [Endless()],
        CIRCULAR,
        {(1, 2): 3},
        float("nan"),
        10**5000,
        ["x"] * 50_000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_of_a_field_loses_or_lengthens_the_line(value):
    line = JsonFormatter().format(logging.makeLogRecord({"msg": "said", "value": value}))
    assert len(line) < 10_000
    read = json.loads(line, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert read["message"] == "said"
    assert "value" in read


def test_a_field_never_replaces_what_a_line_says_of_itself():
    names = ("at", "level", "logger", "error")
    record = logging.makeLogRecord(
        {"msg": "said", "levelname": "INFO", "name": "door", **dict.fromkeys(names, "x")}
    )
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["logger"], line["at"] != "x") == ("info", "door", True)
    assert [line[f"extra_{name}"] for name in names] == ["x"] * 4


@pytest.mark.parametrize("argument", ["no number", Unwritable()])
def test_a_message_whose_arguments_do_not_fit_is_logged_without_them(argument):
    record = logging.makeLogRecord({"msg": "%d rows", "args": (argument,)})
    assert (
        json.loads(JsonFormatter().format(record))["message"] == "%d rows (its arguments cannot be written)"
    )
