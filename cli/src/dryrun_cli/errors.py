"""Errors, by what the user can do about them.

CliError
├── WrongUseError        the command line, a setting or a file is wrong
├── ApiUnreachableError  no answer, or not one of the approval API
├── ApiRefusedError      the API refused, with its reason (RFC 9457)
└── NotGenuineError      a signed report is not what its signature says
"""

import re
from typing import Final

from pydantic import JsonValue

from dryrun_cli.exit_codes import ExitCode
from dryrun_contract.problem import Problem, problem_type

_ROUTE: Final = re.compile(r"GET /api/v1/(?:dryrun|production)/(\w+) lists [^;]*")
"""What the API advises to a program."""
_TOO_MANY_REQUESTS: Final = 429
_PART: Final = re.compile(r"^(?:body|query|path)\.")
_LISTS: Final = {
    "sessions": "list",
    "experiments": "experiment list",
    "schedules": "schedule list",
    "checks": "checks",
    "destinations": "destination list",
    "deliveries": "delivery list",
    "rules": "rule list",
}


class CliError(Exception):
    """Ends the command with a message and an exit code."""

    code: ExitCode = ExitCode.DEFECT


class WrongUseError(CliError):
    """The text says which argument, variable or file is wrong, and what is expected."""

    code = ExitCode.USAGE


class ApiUnreachableError(CliError):
    """A failure that may be temporary; the text has the address and what to check."""

    code = ExitCode.UNREACHABLE


class NotGenuineError(CliError):
    """The text says which file of the report failed, and why. Nothing in the report can be relied on."""

    code = ExitCode.NOT_GENUINE


class ApiRefusedError(CliError):
    """The API understood the request and refused it; a retry gets the same answer."""

    code = ExitCode.REFUSED

    def __init__(self, problem: Problem) -> None:
        # Programs read the list of faults; people are shown it.
        detail = problem.detail.removesuffix("; see `faults`")
        super().__init__(_ROUTE.sub(_command, detail) or problem.title)
        self.problem = problem

    @property
    def is_of_the_moment(self) -> bool:
        """Whether it is about how much one person asks for at a time: later the same is answered."""
        return self.problem.status == _TOO_MANY_REQUESTS

    @property
    def faults(self) -> list[str]:
        """What is wrong with the request, a line each, without the part of it that the API read."""
        return [f"{_PART.sub('', fault.where)}: {fault.what}" for fault in self.problem.faults]


def problem_of(error: CliError) -> dict[str, JsonValue]:
    """Return an error as `--json` writes it: a problem (RFC 9457) with the exit code.

    It has a status if it is the API's, or one that the API would have given.
    """
    refused = error.problem if isinstance(error, ApiRefusedError) else None
    shown = refused or Problem(title=error.code.name.lower(), status=599, detail=str(error))
    body: dict[str, JsonValue] = shown.model_dump(mode="json", exclude_none=True)
    if refused is None:
        del body["status"]
    return {"exit_code": int(error.code), **body}


def nothing_named(kind: str, detail: str, see: str) -> ApiRefusedError:
    """Return the refusal of an id or a name that is well-formed and that no `kind` has, as the API words it.

    Commands that look names up in lists thus end as those that ask the API; `see` is the command that lists.
    """
    return ApiRefusedError(
        Problem(
            type=problem_type(f"unknown-{kind}"),
            title=f"No such {kind}",
            status=404,
            detail=f"{detail}; see: dryrun {see}",
        )
    )


def _command(route: re.Match[str]) -> str:
    command = _LISTS.get(route[1])
    return f"see: dryrun {command}" if command else route[0]
