"""Reads what a form sent. Bytes and fields are bounded before they get here (`bodies`)."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from approval_api.web.problems import ProblemError
from dryrun_contract.faults import first_fault


class Form:
    """Fields by name; a name may stand more than once."""

    def __init__(self, fields: Iterable[tuple[str, object]]) -> None:
        """Keep `fields`; files are nothing that a page of ours sends."""
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            if isinstance(value, str):
                self._fields.setdefault(name, []).append(value)

    def one(self, name: str, default: str = "") -> str:
        """Return a field's first value without surrounding blanks."""
        return self.raw(name, default).strip()

    def raw(self, name: str, default: str = "") -> str:
        """Return a field as it was typed: a password may end in a blank."""
        return self._fields.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self._fields.get(name, [])


async def _read(request: Request) -> Form:
    return Form((await request.form()).multi_items())


SentForm = Annotated[Form, Depends(_read)]


def validated[Model: BaseModel](model: type[Model], given: Mapping[str, object], title: str) -> Model:
    """Return what a form sent as a model. Raises a 422 problem with the first fault under `title`."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise wrong(first_fault(error, "").removeprefix(": "), title) from error


def wrong(what: str, title: str) -> ProblemError:
    """Return the 422 problem of a form, `what` of it is wrong."""
    return ProblemError("invalid-request", 422, f"{what}. Go back, correct it and send it again", title=title)
