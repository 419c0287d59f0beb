"""Lines for programs: a table fills its last column with blanks, which nobody reads."""

import re
from typing import IO, Any, Final

_TRAILING: Final = re.compile(r"[ \t]+(?=\n)")


class WithoutTrailingBlanks:
    """A text stream that leaves blanks before the end of a line out; each line is written at once."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text` without what its lines have after their last word."""
        return self._stream.write(_TRAILING.sub("", text))

    def __getattr__(self, name: str) -> Any:  # whatever the stream has
        return getattr(self._stream, name)
