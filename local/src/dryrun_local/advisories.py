"""Known vulnerabilities of the pinned Python packages, compared offline with a committed snapshot.

The snapshot knows nothing that was published after its newest record; that no pin is found proves no more.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict

from dryrun_local.errors import LocalError

SNAPSHOT = "advisories.json"
ACCEPTED = "accepted-advisories.tsv"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
_ADDRESS = re.compile(r"\S*://\S*")
_SUMMARY_LENGTH = 240


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Model):
    """Versions from `introduced` up to `fixed` (not affected) or `last_affected` (affected), or endless."""

    introduced: str
    fixed: str | None = None
    last_affected: str | None = None

    def holds(self, version: Version) -> bool:
        """Say whether a version lies in the range; "0" stands for every version, pre-releases too."""
        if self.introduced != "0" and version < Version(self.introduced):
            return False
        if self.fixed is not None:
            return version < Version(self.fixed)
        return self.last_affected is None or version <= Version(self.last_affected)


class Advisory(_Model):
    """What is needed of one record; `versions` are affected ones that lie outside of all ranges."""

    id: str
    aliases: tuple[str, ...] = ()
    summary: str
    modified: date
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()

    def affects(self, version: Version) -> bool:
        """Say whether a version is affected."""
        return any(one.holds(version) for one in self.ranges) or any(
            version == Version(one) for one in self.versions
        )


class Snapshot(_Model):
    """The advisories of every package that was looked up, in a list that may be empty."""

    source: str
    licence: str
    note: str
    taken: date
    newest_record: date
    packages: dict[str, tuple[Advisory, ...]]


class Pin(NamedTuple):
    """A package in one version."""

    package: str
    version: str


class Finding(NamedTuple):
    """A pin that an advisory affects."""

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


def load(path: Path) -> Snapshot:
    """Read a committed snapshot."""
    return Snapshot.model_validate_json(path.read_bytes())


def accepted(path: Path) -> dict[tuple[str, str], str]:
    """Read the exceptions: package and advisory, with the reason that each one must have."""
    reasons: dict[tuple[str, str], str] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match line.split("\t"):
            case [package, advisory, reason] if reason.strip():
                reasons[canonicalize_name(package), advisory] = reason
            case _:
                raise LocalError(
                    f"{path.name}:{number}: give package, advisory and reason, with tabs between"
                )
    return reasons


def uncovered(snapshot: Snapshot, wanted: Iterable[Pin]) -> list[str]:
    """Name the packages that the snapshot was not made for."""
    return sorted({pin.package for pin in wanted} - snapshot.packages.keys())


def findings(snapshot: Snapshot, wanted: Iterable[Pin]) -> list[Finding]:
    """Find the pins that an advisory of the snapshot affects."""
    return [
        Finding(pin, advisory)
        for pin in sorted(wanted)
        for advisory in snapshot.packages.get(pin.package, ())
        if advisory.affects(Version(pin.version))
    ]


def take(database: Path, packages: Iterable[str], today: date) -> Snapshot:
    """Make a snapshot from a clone of the database: records in OSV's format under vulns/PACKAGE/."""
    records = sorted(database.glob("vulns/*/*.yaml"))
    if not records:
        raise LocalError(f"{database} holds no vulns/*/*.yaml; give a clone of the PyPA advisory database")
    covered: dict[str, list[Advisory]] = {name: [] for name in sorted(packages)}
    newest = date.min
    for path in records:
        record = _record(path)
        newest = max(newest, _day(record["modified"]))
        if "withdrawn" in record:
            continue
        try:
            for name, advisory in _advisories(path, record):
                if name in covered:
                    covered[name].append(advisory)
        except (KeyError, TypeError, ValueError) as error:
            raise LocalError(f"{path} is no record in OSV's format: {error!r}") from error
    return Snapshot(
        source="PyPA advisory database",
        licence="CC-BY-4.0",
        note=(
            "Shortened from the source. It holds nothing published after newest_record, and nothing"
            " that the source did not list: an empty list is no proof of a package without faults."
        ),
        taken=today,
        newest_record=newest,
        packages={name: tuple(found) for name, found in covered.items()},
    )


def _record(path: Path) -> dict[str, Any]:
    # libyaml's loader reads the whole database in seconds rather than minutes; it is as safe.
    try:
        record = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise LocalError(f"{path} is no YAML: {error}") from error
    if not isinstance(record, dict) or not {"id", "modified", "affected"} <= record.keys():
        raise LocalError(f"{path} is no record in OSV's format: id, modified and affected are needed")
    return record


def _advisories(path: Path, record: Mapping[str, Any]) -> Iterable[tuple[str, Advisory]]:
    for affected in record["affected"]:
        if affected["package"]["ecosystem"] != "PyPI":
            continue
        ranges = tuple(
            one
            for listed in affected.get("ranges", ())
            if listed["type"] == "ECOSYSTEM"
            for one in _ranges(path, listed["events"])
        )
        named = (_version(str(one)) for one in affected.get("versions", ()))
        beside = sorted({one for one in named if one and not any(each.holds(one) for each in ranges)})
        yield (
            canonicalize_name(affected["package"]["name"]),
            Advisory(
                id=record["id"],
                aliases=tuple(record.get("aliases", ())),
                summary=_summary(record),
                modified=_day(record["modified"]),
                ranges=ranges,
                versions=tuple(map(str, beside)),
            ),
        )


def _ranges(path: Path, events: Iterable[Mapping[str, Any]]) -> Iterable[Range]:
    introduced = None
    for event in events:
        match {key: str(value) for key, value in event.items()}:
            case {"introduced": start}:
                if introduced is not None:
                    yield Range(introduced=introduced)
                introduced = start
            case ({"fixed": _} | {"last_affected": _}) as end if introduced is not None:
                yield Range(introduced=introduced, **end)
                introduced = None
            case other:
                raise LocalError(f"{path}: event {other} is unknown, or follows no `introduced`")
    if introduced is not None:
        yield Range(introduced=introduced)


def _version(text: str) -> Version | None:
    # Versions from before the standard: no pin can equal one.
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _summary(record: Mapping[str, Any]) -> str:
    told = str(record.get("summary") or record.get("details") or "no summary")
    text = " ".join(_ADDRESS.sub("", told).split())
    return text if len(text) <= _SUMMARY_LENGTH else text[: _SUMMARY_LENGTH - 1].rstrip() + "…"


def _day(moment: Any) -> date:
    # YAML hands out a datetime, or a string where the source quoted it.
    parsed = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return parsed.date()


def main(arguments: list[str]) -> None:
    """Take a snapshot from the named clone, of all pins or of the files named after it; then compare."""
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
    found = [one for one in findings(snapshot, every) if (one.pin.package, one.advisory.id) not in known]
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
