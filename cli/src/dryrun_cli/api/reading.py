"""Reads the API's answers as words, tolerant of fields that a newer API added."""

from pydantic import JsonValue, ValidationError

from dryrun_cli.errors import ApiUnreachableError
from dryrun_contract.base import Word
from dryrun_contract.event import Event
from dryrun_contract.report import Report, UnreadableReportError, to_report
from dryrun_contract.session import SessionView
from dryrun_contract.template import TemplateSummary

type JsonObject = dict[str, JsonValue]


def read_session(answer: JsonValue) -> SessionView:
    """Read one session. Raises ApiUnreachableError when it is none."""
    return read_word(SessionView, answer, "a session")


def read_template(answer: JsonValue) -> TemplateSummary:
    """Read one template. Raises ApiUnreachableError when it is none."""
    return read_word(TemplateSummary, answer, "a template")


def read_report(answer: JsonValue) -> Report:
    """Read a report. Raises ApiUnreachableError when it is none, or one of another version."""
    try:
        return to_report(answer)
    except UnreadableReportError as error:
        raise ApiUnreachableError(f"the API's answer is not a report that can be shown: {error}") from None


def read_event(raw: JsonValue) -> Event | None:
    """Read one event; None when it is of a kind that this version does not know."""
    try:
        return Event.model_validate(raw, extra="ignore")
    except ValidationError:
        return None


def read_list(answer: JsonValue, name: str) -> list[JsonValue]:
    """Take the list `name` out of a page."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise ApiUnreachableError(
            f"the API's answer holds no list of {name}; are its version and ours alike?"
        )
    return found


def read_object(answer: JsonValue, name: str) -> JsonObject:
    """Take an object. Raises ApiUnreachableError when the answer is something else."""
    if not isinstance(answer, dict):
        raise ApiUnreachableError(f"the API's answer is no {name}; are its version and ours alike?")
    return answer


def read_word[W: Word](model: type[W], answer: JsonValue, name: str) -> W:
    """Read any word; `name` is what messages call it. Raises ApiUnreachableError when it is none."""
    try:
        return model.model_validate(answer, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise ApiUnreachableError(
            f"the API's answer is not {name} ({where}: {first['msg']}); are its version and ours alike?"
        ) from None
