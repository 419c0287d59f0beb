"""The error format of every API here: RFC 9457 problem details."""

from functools import cache
from typing import Any

from pydantic import Field

from dryrun_contract.base import Word

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Fault(Word):
    """One fault of a request or a file, and its place."""

    where: str
    """JSON path, YAML path or parameter name."""
    what: str


class Problem(Word):
    """RFC 9457. Programs branch on `type`, a URN; `detail` is for people and says what to do next."""

    type: str = Field(default="about:blank", examples=["urn:dryrun:problem:unknown-template"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str | None = None
    request_id: str | None = None
    faults: tuple[Fault, ...] = ()

    def in_one_line(self, *, most: int = 5) -> str:
        """Return detail and first faults as one line, for a log or a reason.

        >>> empty = Fault(where="a:1", what="is empty")
        >>> Problem(title="t", status=422, detail="no", faults=(empty,)).in_one_line()
        'no; a:1: is empty'
        """
        listed = [f"{fault.where}: {fault.what}" for fault in self.faults[:most]]
        more = len(self.faults) - most
        return "; ".join([self.detail, *listed, *([f"and {more} more"] if more > 0 else [])])


def problem_type(name: str) -> str:
    """Return the URN of a kind of problem, e.g. `unknown-template`."""
    return f"urn:dryrun:problem:{name}"


@cache
def problem_answers() -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of every answer that is not a success: a problem document."""
    schema = Problem.model_json_schema(mode="serialization")
    # Inline: a reference would point to this document's definitions, not to the API's.
    schema["properties"]["faults"]["items"] = schema.pop("$defs")["Fault"]
    return {
        "default": {
            "description": "A problem (RFC 9457); its type says which",
            "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}},
        }
    }
