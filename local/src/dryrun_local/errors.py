"""What goes wrong on this machine, told so that a person knows what to do next.

LocalError
├── ServiceDiedError      a service ended, or did not become ready
├── AlreadyRunningError   another dryrun-local holds this installation
└── EngineError           Docker Engine gave no answer, or not the expected one
"""


class LocalError(Exception):
    """Shown as one message, without a traceback; the command ends with exit code 1."""


class ServiceDiedError(LocalError):
    """A service ended, or did not become ready; the text has the last lines of its log."""


class AlreadyRunningError(LocalError):
    """Another dryrun-local holds this installation."""


class EngineError(LocalError):
    """Docker Engine gave no answer, or not the expected one."""
