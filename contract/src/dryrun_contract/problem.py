"""The error format of every API here: RFC 9457 problem details."""

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


def problem_type(name: str) -> str:
    """Return the URN of a kind of problem, e.g. `unknown-template`."""
    return f"urn:dryrun:problem:{name}"


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
