"""JMESPath for reader tables: its own functions, and three for what each scanner writes in its own way.

An expression is an operator's text. What it costs is bounded by its length, by the record's size and by the
limits of the process that evaluates it: JMESPath has neither loops nor a way back to the whole record.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import jmespath
import jmespath.exceptions
from jmespath import functions
from pydantic import JsonValue

MAX_EXPRESSION_CHARACTERS = 500
MAX_PARTS = 1000


class ExpressionError(ValueError):
    """The text is no expression, or it cannot be applied to this record; the message says why."""


class _Functions(functions.Functions):
    @functions.signature({"types": []}, {"types": ["string"]}, {"types": ["number"]})
    def _func_part(self, text: JsonValue, separator: str, index: int) -> str | None:
        """Return a part of a text, counted from 0, or from the end with -1; null if there is none."""
        if not isinstance(text, str) or not separator:
            return None
        parts = text.split(separator, MAX_PARTS)
        index = int(index)
        return parts[index].strip() if -len(parts) <= index < len(parts) else None

    @functions.signature({"types": []})
    def _func_lower(self, text: JsonValue) -> str | None:
        """Return a text in lower case; null for anything else."""
        return text.lower() if isinstance(text, str) else None

    @functions.signature({"types": []}, {"types": ["string"]})
    def _func_time(self, text: JsonValue, pattern: str) -> str | None:
        """Return a time as `2039-12-31T23:59:59Z`, read by `strptime`, in UTC unless it says otherwise."""
        try:
            moment = datetime.strptime(str(text), pattern)  # noqa: DTZ007 - the pattern may name no zone
        except ValueError:
            return None
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_OPTIONS = jmespath.Options(custom_functions=_Functions())


def compiled(text: str) -> Callable[[JsonValue], JsonValue]:
    """Return a function that applies the expression to a record; both raise ExpressionError.

    >>> compiled("part(banner, '-', `2`)")({"banner": "SSH-2.0-OpenSSH_10.0"})
    'OpenSSH_10.0'
    """
    try:
        expression = jmespath.compile(text)
        expression.search({}, options=_OPTIONS)
    except jmespath.exceptions.JMESPathTypeError:
        pass  # it needs a record that has something
    except (jmespath.exceptions.JMESPathError, RecursionError) as error:
        raise ExpressionError(_in_one_line(error)) from None

    def apply(record: JsonValue) -> JsonValue:
        try:
            value: JsonValue = expression.search(record, options=_OPTIONS)
        except (jmespath.exceptions.JMESPathError, RecursionError, OverflowError) as error:
            raise ExpressionError(_in_one_line(error)) from None
        return value

    return apply


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
