"""What can go wrong, by what the person can do about it.

CliError
├── WrongUseError        the command line, a setting or a file is wrong
├── ApiUnreachableError  no answer, or none that the API would give
└── ApiRefusedError      the API said no and why (RFC 9457)
"""

from dryrun_cli.exit_codes import ExitCode
from dryrun_contract.problem import Problem


class CliError(Exception):
    """Ends the command with a message and a code of its own."""

    code: ExitCode = ExitCode.DEFECT


class WrongUseError(CliError):
    """The text says which argument, variable or file, and what it should be."""

    code = ExitCode.USAGE


class ApiUnreachableError(CliError):
    """A failure that may heal; the text names the address and what to look at."""

    code = ExitCode.UNREACHABLE


class ApiRefusedError(CliError):
    """The API understood and refused; asking again gives the same answer."""

    code = ExitCode.REFUSED

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem
