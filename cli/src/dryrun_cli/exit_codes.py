"""The exit codes of `dryrun`; a code never changes its meaning."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Scripts branch on these; `dryrun --help` documents them."""

    OK = 0
    """Done; criteria, if given, are met."""
    NOT_COMPLETED = 1
    """The session did not complete: it failed, expired or was stopped by somebody else.

    Or some session of an experiment could not be measured, a scan of production that was reported is
    incomplete, or a destination did not pass its check.
    """
    USAGE = 2
    """The command line, a setting or a criteria file is wrong.

    So is what can be no id or name, and the beginning of several ids.
    """
    UNREACHABLE = 3
    """The API is unreachable, did not answer in time, or fails (5xx)."""
    REFUSED = 4
    """The API refused (4xx): invalid token, a limit; or nothing has the id or the name that was given.

    Or it left out some of the discoveries to decide on: changed since the named revision, or unknown.
    """
    CRITERIA_NOT_MET = 5
    """The session completed, but its report does not meet the criteria."""
    NOT_GENUINE = 6
    """`dryrun report verify`: a signature is missing, wrong, or of another key."""
    OUTSIDE_FORECAST = 7
    """`--require-within`: production is outside its forecast, did not finish, or nothing could be judged."""
    DEFECT = 70
    """A defect of this program; the traceback is on standard error."""
    INTERRUPTED = 130
    """Ctrl-C (128 + SIGINT)."""
    PIPE_CLOSED = 141
    """The reader of the output closed it (128 + SIGPIPE)."""
    TERMINATED = 143
    """SIGTERM (128 + SIGTERM)."""
