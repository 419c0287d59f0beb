"""The process that reads foreign output: bytes on standard input, the contract's lines on standard output.

Between what the output said and what its end completes stands an empty line. Its only argument is the reader:
the name of the one format that is read by code, or a table as JSON.
"""

import os
import sys
import time
from collections.abc import Iterable
from typing import Protocol

from dryrun_orchestrator.readers.confinement import MEMORY_BYTES, ConfinementError, confine
from dryrun_orchestrator.readers.nmap_output import NmapOutput
from dryrun_orchestrator.readers.table import NMAP_XML, ReaderTable
from dryrun_orchestrator.readers.translation import TableReader
from dryrun_orchestrator.readers.words import Word

PIECE_BYTES = 64 * 1024
BEFORE_THE_END = b"\n"


class Reader(Protocol):
    """Reads one output."""

    def feed(self, data: bytes) -> Iterable[Word]:
        """Take the next bytes and return what is now complete."""

    def finish(self) -> Iterable[Word]:
        """Return what the end of the output completes."""


def main() -> int:
    """Read until the input ends; return the exit code."""
    (chosen,) = sys.argv[1:]
    reader: Reader = NmapOutput() if chosen == NMAP_XML else TableReader(ReaderTable.from_json(chosen))
    # It imports its module when it is first called, which afterwards would be too late.
    time.strptime("0", "%S")
    try:
        confine()
        while data := os.read(0, PIECE_BYTES):
            _write(reader.feed(data))
        os.write(1, BEFORE_THE_END)
        _write(reader.finish())
    except ConfinementError as error:
        return _fail(f"its process cannot be confined: {error}")
    except MemoryError:
        return _fail(f"it takes more than {MEMORY_BYTES >> 20} MiB of memory")
    except BrokenPipeError:
        return 1
    return 0


def _write(words: Iterable[Word]) -> None:
    for word in words:
        line = word.model_dump_json(exclude_none=True).encode() + b"\n"
        while line:
            line = line[os.write(1, line) :]


def _fail(why: str) -> int:
    os.write(2, f"{why}\n".encode())
    return 1


if __name__ == "__main__":
    sys.exit(main())
