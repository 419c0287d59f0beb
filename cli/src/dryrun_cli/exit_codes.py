"""What the command's exit code tells a script; a code never changes its meaning."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented in `dryrun --help`; scripts branch on these."""

    OK = 0
    """Done; where criteria were given, they are met."""
    SESSION_FAILED = 1
    """The session ended otherwise than completed: failed, stopped by somebody else, expired."""
    USAGE = 2
    """The command line, a setting or a criteria file is wrong."""
    UNREACHABLE = 3
    """The API cannot be reached, gave no answer in time, or does not work (5xx)."""
    REFUSED = 4
    """The API refused (4xx): no such session, no valid token, a limit."""
    CRITERIA_NOT_MET = 5
    """The session completed and its report does not meet the criteria."""
    DEFECT = 70
    """A defect of this program; the traceback stands on standard error."""
    INTERRUPTED = 130
    """Ctrl-C (128 + SIGINT)."""
    PIPE_CLOSED = 141
    """The reader of our output went away (128 + SIGPIPE)."""
    TERMINATED = 143
    """SIGTERM (128 + SIGTERM)."""
