"""Compares the pinned Python packages with a committed snapshot of known vulnerabilities, offline.

A pin that is not found is only known to be unaffected as of the newest record of the snapshot.
"""

import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import Version

from dryrun_local.advisories.osv import take
from dryrun_local.advisories.snapshot import Advisory, Snapshot, load
from dryrun_local.machine.errors import LocalError

SNAPSHOT = "advisories.json"
ACCEPTED = "accepted-advisories.tsv"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")


class Pin(NamedTuple):
    """A package in one version."""

    package: str
    version: str


class AffectedPin(NamedTuple):
    """A pinned version that an advisory affects."""

    pin: Pin
    advisory: Advisory

    def __str__(self) -> str:
        known_as = ", ".join((self.advisory.id, *self.advisory.aliases))
        return f"{self.pin.package} {self.pin.version}: {known_as}: {self.advisory.summary}"


def pins(files: Iterable[Path]) -> set[Pin]:
    """Read the pins of requirements files."""
    lines = [line for file in files for line in file.read_text().splitlines()]
    found = (_PIN.match(line) for line in lines)
    return {Pin(canonicalize_name(match[1]), match[2]) for match in found if match}


def accepted(path: Path) -> dict[tuple[str, str], str]:
    """Read the accepted advisories: package and advisory, each with its reason. Raises LocalError."""
    reasons: dict[tuple[str, str], str] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match line.split("\t"):
            case [package, advisory, reason] if reason.strip():
                reasons[canonicalize_name(package), advisory] = reason
            case _:
                raise LocalError(
                    f"{path.name}:{number}: write package, advisory and reason, separated by tabs"
                )
    return reasons


def uncovered(snapshot: Snapshot, wanted: Iterable[Pin]) -> list[str]:
    """Return the names of packages that the snapshot does not cover."""
    return sorted({pin.package for pin in wanted} - snapshot.packages.keys())


def affected_pins(snapshot: Snapshot, wanted: Iterable[Pin]) -> list[AffectedPin]:
    """Return the pins that an advisory of the snapshot affects."""
    return [
        AffectedPin(pin, advisory)
        for pin in sorted(wanted)
        for advisory in snapshot.packages.get(pin.package, ())
        if advisory.affects(Version(pin.version))
    ]


def main(arguments: list[str]) -> None:
    """Compare the pins with the snapshot; exit code 1 if one is affected and not accepted.

    With arguments, first make the snapshot anew from a clone of the advisory database, for the packages
    pinned in the requirements files that follow (all if none is named).
    """
    folder = Path("requirements")
    today = datetime.now(UTC).date()
    every = pins(sorted(folder.glob("*.txt")))
    try:
        if arguments:
            database, *files = map(Path, arguments)
            wanted = pins(files) if files else every
            taken = take(database, {pin.package for pin in wanted}, today)
            listed = taken.model_dump(mode="json", exclude_defaults=True)
            text = json.dumps(listed, indent=1, ensure_ascii=False)
            (folder / SNAPSHOT).write_text(text + "\n")
        snapshot = load(folder / SNAPSHOT)
        known = accepted(folder / ACCEPTED)
    except (LocalError, OSError, ValueError) as error:
        sys.exit(f"audit: {error}")
    found = [one for one in affected_pins(snapshot, every) if (one.pin.package, one.advisory.id) not in known]
    age = (today - snapshot.newest_record).days
    missing = uncovered(snapshot, every)
    lines = [
        f"{len(every)} pins; the snapshot's newest record is of {snapshot.newest_record}, {age} days ago",
        f"not in the snapshot: {', '.join(missing) or 'none'}",
        *map(str, found),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    if found:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
