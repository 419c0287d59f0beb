"""Reads files that operators install (allowlist, templates, collector manifests), and their errors."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from dryrun_contract.problem import Fault

MAX_FILE_BYTES = 256 * 1024
"""More than any template needs; a larger file is a mistake."""


class OperatorFileError(Exception):
    """An installed file is invalid; `faults` lists all its problems.

    OperatorFileError
      AllowlistError            the allowlist; nothing can start without it
      CollectorManifestsError   the folder of collector manifests; no session can scan without it
      TemplateInvalidError      one template; the others stay usable
      TemplateFolderError       the folder of templates cannot be read at all
    """

    def __init__(self, subject: str, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        self.heading = f"{subject}: {count} problem{'' if count == 1 else 's'}"
        """What is wrong, without the faults: for a reader who gets those beside it."""
        super().__init__(
            "\n  ".join([self.heading, *(f"{fault.where}: {fault.what}" for fault in self.faults)])
        )


class UnreadableFileError(Exception):
    """The file cannot be read; the message says why."""


def read_regular_file(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return the file's bytes. Raises UnreadableFileError for a link, device or pipe, or a file too large.

    Links are refused, so that a folder contains what its listing shows.
    """
    try:
        # O_NONBLOCK: opening a pipe without a writer must not block the start of the service.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise UnreadableFileError("is a symbolic link; put the file itself into the folder") from error
        raise UnreadableFileError(f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFileError("is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        try:
            content = file.read(max_bytes + 1)
        except OSError as error:
            raise UnreadableFileError(f"cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise UnreadableFileError(f"is larger than {max_bytes // 1024} KiB, the most that is read")
    return content
