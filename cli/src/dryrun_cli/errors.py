"""Errors, by what the user can do about them.

CliError
├── WrongUseError        the command line, a setting or a file is wrong
├── ApiUnreachableError  no answer, or not one of the approval API
├── ApiRefusedError      the API refused, with its reason (RFC 9457)
└── NotGenuineError      a signed report is not what its signature says
"""

from dryrun_cli.exit_codes import ExitCode
from dryrun_contract.problem import Problem


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
        super().__init__(problem.detail or problem.title)
        self.problem = problem
