"""What can go wrong on this machine. Each message says what to do next.

LocalError
├── ServiceDiedError      a service ended, or did not become ready
├── AlreadyRunningError   another dryrun-local holds this installation
├── EngineError           Docker Engine gave no answer, or not the expected one
├── ManifestError         image folders are not valid          (images.manifest)
├── ProgramError          docker, uv or mmdebstrap failed      (images.programs)
├── ImageBuildError       at least one image was not built     (images.building)
└── HostRuleError         the host rule could not be checked   (doctor.host_rule)
"""


class LocalError(Exception):
    """Shown as one message, without a traceback; the command ends with exit code 1."""


class ServiceDiedError(LocalError):
    """A service ended, or did not become ready; the text has the last lines of its log."""


class AlreadyRunningError(LocalError):
    """Another dryrun-local holds this installation."""


class EngineError(LocalError):
    """Docker Engine gave no answer, or not the expected one."""
