"""Changes which hosts a fleet file drains, and nothing else of it: comments and layout are the operator's."""

import fcntl
import os
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from tempfile import mkstemp

from dryrun_contract.text import printable
from dryrun_local.machine.errors import LocalError
from dryrun_orchestrator.fleet.fleet_file import FleetFile, FleetFileError, read_fleet_file

_KEY = re.compile(r"drained\s*:")
_ONE_LINE = re.compile(r"drained\s*:\s*(?:\[[^\]#]*\])?\s*(?P<comment>#.*)?")
_INNER = re.compile(r"\s+\S|-(?:\s|$)")
"""A line that belongs to the key above it."""


def read(file: Path) -> FleetFile:
    """Read a fleet file; its certificates may be at paths inside of a container. Raises LocalError."""
    try:
        return read_fleet_file(file, finds_certificates=False)
    except FleetFileError as error:
        raise LocalError(str(error)) from error


def require_host(fleet: FleetFile, file: Path, host: str) -> None:
    """Raise LocalError where the fleet has no host of this name."""
    if host not in fleet.hosts:
        raise LocalError(f"{file}: there is no host {printable(host)}; it has {', '.join(fleet.hosts)}")


def set_drained(file: Path, host: str, *, drained: bool) -> tuple[FleetFile, bool]:
    """Write the file with a host drained, or not; return what it says now, and whether that is new.

    It is replaced at once: the orchestrator never reads half of it. Raises LocalError, and changes nothing,
    when the file is faulty, has no such host, or is laid out so that it cannot be changed safely.
    """
    try:
        # Where it is a link, the file that it names is replaced, not the link.
        file = file.resolve(strict=True)
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Of two commands at a time, the second reads what the first wrote.
            fcntl.flock(folder, fcntl.LOCK_EX)
            changed = _set_drained(file, host, drained=drained)
            # The new name as well: a power failure takes back nothing that was reported as done.
            os.fsync(folder)
            return changed
        finally:
            os.close(folder)
    except OSError as error:
        raise LocalError(f"{file}: {error.strerror}") from error


def _set_drained(file: Path, host: str, *, drained: bool) -> tuple[FleetFile, bool]:
    fleet = read(file)
    require_host(fleet, file, host)
    wanted = replace(fleet, drained=fleet.drained | {host} if drained else fleet.drained - {host})
    if wanted == fleet:
        return fleet, False
    # In the file's order.
    names = [name for name in fleet.hosts if name in wanted.drained]
    _write(file, with_drained(file.read_text(), names), wanted)
    return wanted, True


def with_drained(text: str, names: Collection[str]) -> str:
    r"""Return the text of a fleet file with these hosts drained.

    >>> with_drained("managers: [a]\ndrained: []  # by Ada\noverlay: plain\n", ["b"])
    'managers: [a]\ndrained: [b]  # by Ada\noverlay: plain\n'
    """
    entry = f"drained: [{', '.join(names)}]"
    lines = text.splitlines()
    begin = next((number for number, line in enumerate(lines) if _KEY.match(line)), len(lines))
    if begin < len(lines) and (found := _ONE_LINE.fullmatch(lines[begin])) and found["comment"]:
        entry += f"  {found['comment']}"
    end = begin + 1
    while end < len(lines) and _INNER.match(lines[end]):
        end += 1
    lines[begin:end] = [entry]
    return "\n".join(lines) + "\n"


def _write(file: Path, text: str, wanted: FleetFile) -> None:
    """Replace the file. Raises LocalError when its new text would not say what is wanted."""
    before = file.stat()
    handle, name = mkstemp(prefix=f".{file.name}-", dir=file.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w") as written:
            written.write(text)
            written.flush()
            os.fchmod(written.fileno(), before.st_mode & 0o777)
            os.fchown(written.fileno(), before.st_uid, before.st_gid)
            os.fsync(written.fileno())
        if _said(fresh) != wanted:
            names = ", ".join(sorted(wanted.drained))
            raise LocalError(
                f"{file} is laid out in an unusual way; write there yourself: drained: [{names}]"
            )
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _said(file: Path) -> FleetFile | None:
    try:
        return read(file)
    except LocalError:
        return None
