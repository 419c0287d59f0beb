"""Reads the API's answers as models of the contract; fields of a newer API are ignored."""

from pydantic import JsonValue, ValidationError

from dryrun_cli.errors import ApiUnreachableError
from dryrun_contract.base import Word
from dryrun_contract.event import Event
from dryrun_contract.faults import first_fault
from dryrun_contract.session import SessionView
from dryrun_contract.template import TemplateSummary

type JsonObject = dict[str, JsonValue]

SAME_VERSION = "check that the API and dryrun have the same version"


class ListedFigures(Word):
    """What a list shows of a session's report; the server has the rest."""

    recall: float | None = None
    precision: float | None = None
    cut: bool = False
    """Some collector did not run to its end."""
    passed: bool | None = None
    """The verdict by the session's criteria."""


class ListedSession(SessionView):
    """A session of the list."""

    figures: ListedFigures | None = None


def read_session(answer: JsonValue) -> SessionView:
    """Return the session in `answer`. Raises ApiUnreachableError when it is not one."""
    return read_word(SessionView, answer, "a session")


def read_template(answer: JsonValue) -> TemplateSummary:
    """Return the template in `answer`. Raises ApiUnreachableError when it is not one."""
    return read_word(TemplateSummary, answer, "a template")


def read_event(raw: JsonValue) -> Event | None:
    """Return the event in `raw`; None when this version cannot read it."""
    try:
        return Event.model_validate(raw, extra="ignore")
    except ValidationError:
        return None


def read_list(answer: JsonValue, name: str) -> list[JsonValue]:
    """Return the list `name` of a page. Raises ApiUnreachableError when there is none."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise ApiUnreachableError(f"the API's answer has no list of {name}; {SAME_VERSION}")
    return found


def read_each[W: Word](model: type[W], answer: JsonValue, name: str, what: str) -> list[W]:
    """Return the list `name` of a page, each the `model`; messages call one `what`. Raises as `read_word`."""
    return [read_word(model, each, what) for each in read_list(answer, name)]


def read_object(answer: JsonValue, name: str) -> JsonObject:
    """Return `answer`, an object. Raises ApiUnreachableError when it is something else."""
    if not isinstance(answer, dict):
        raise ApiUnreachableError(f"the API's answer is not an object ({name}); {SAME_VERSION}")
    return answer


def read_word[W: Word](model: type[W], answer: JsonValue, name: str) -> W:
    """Return the `model` in `answer`; error messages call it `name`. Raises ApiUnreachableError."""
    try:
        return model.model_validate(answer, extra="ignore")
    except ValidationError as error:
        raise ApiUnreachableError(
            f"the API's answer is not {name} ({first_fault(error)}); {SAME_VERSION}"
        ) from None
