"""A service logs one bounded line of JSON for each record."""

import json
import logging

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
