"""What a failed write to the state folder says, whoever made it."""

import errno
from pathlib import Path
from typing import Self


class NotStoredError(Exception):
    """Something was not written, and nothing of it counts; the message says why and what to do. May heal."""

    @classmethod
    def because(cls, what: str, error: OSError, folder: Path) -> Self:
        """Return the error that `what` in `folder` could not be written."""
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        to_do = f"free space in {folder}" if is_full else f"see that this service may write in {folder}"
        return cls(f"{what} cannot be written: {error.strerror}; {to_do}")
