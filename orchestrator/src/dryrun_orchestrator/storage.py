"""The error of a failed write to the state folder, and room that is kept for the next write."""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final, Self

ROOM_BYTES: Final = 64 * 1024
"""More than one change of a session and its events needs, or the lines of some commands, as a rule."""
_KEEP_SIZE: Final = 1


class NotStoredError(Exception):
    """Something was not written, and nothing of it counts; the message says why and what to do. May heal."""

    @classmethod
    def because(cls, what: str, error: OSError, folder: Path) -> Self:
        """Return the error that `what` in `folder` could not be written."""
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        to_do = f"free space in {folder}" if is_full else f"see that this service may write in {folder}"
        return cls(f"{what} cannot be written: {error.strerror}; {to_do}")


def reserve(file: int, room: int) -> None:
    """Give a file blocks for `room` bytes after its end, which stays where it is. Raises OSError.

    `os.posix_fallocate` moves the end (fallocate(2): FALLOC_FL_KEEP_SIZE). A file system that knows no
    reservation reserves nothing.
    """
    library = ctypes.CDLL(None, use_errno=True)
    end = ctypes.c_int64(os.fstat(file).st_size)
    if room and library.fallocate(file, _KEEP_SIZE, end, ctypes.c_int64(room)):
        code = ctypes.get_errno()
        if code not in {errno.EOPNOTSUPP, errno.ENOSYS}:
            raise OSError(code, os.strerror(code))
