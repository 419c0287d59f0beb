"""What can go wrong on this machine. Each message says what to do next.

LocalError
├── ServiceDiedError      a service ended, or did not become ready
├── AlreadyRunningError   another dryrun-local uses this installation
├── EngineError           Docker Engine does not answer, or not as expected
├── NotWrittenError       a file cannot be written
├── StateFolderError      the installation's state is no folder that this user may work in
├── RowsError             a file of the allowlist's rows is missing or damaged (images.allowlist_rows)
├── ManifestError         image folders are not valid          (images.manifest)
├── ProgramError          docker, uv or mmdebstrap failed      (images.programs)
├── ImageBuildError       at least one image was not built     (images.building)
├── ArchiveError          an archive is damaged or out of bounds (images.archive)
└── HostRuleError         the host rule could not be checked   (doctor.host_rule)
"""


class LocalError(Exception):
    """Ends the command with exit code 1; the message is printed without a traceback."""


class ServiceDiedError(LocalError):
    """A service ended, or did not become ready; the message ends with the last lines of its log."""


class AlreadyRunningError(LocalError):
    """Another dryrun-local uses this installation."""


class EngineError(LocalError):
    """Docker Engine does not answer, or not as expected."""


class StateFolderError(LocalError):
    """The installation's state is no folder that this user may work in."""


class NotWrittenError(LocalError):
    """A file cannot be written."""
