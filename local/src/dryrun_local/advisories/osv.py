"""Makes a snapshot from a clone of the PyPA advisory database, whose records are in OSV's format."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from dryrun_local.advisories.snapshot import Advisory, Range, Snapshot
from dryrun_local.machine.errors import LocalError

_ADDRESS = re.compile(r"\S*://\S*")
_SUMMARY_LENGTH = 240


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
            raise LocalError(f"{path} is not a record in OSV's format: {error!r}") from error
    return Snapshot(
        source="PyPA advisory database",
        licence="CC-BY-4.0",
        note=(
            "Shortened from the source. It holds nothing published after newest_record, and nothing"
            " that the source did not list: an empty list does not prove a package free of faults."
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
        raise LocalError(f"{path} is not YAML: {error}") from error
    if not isinstance(record, dict) or not {"id", "modified", "affected"} <= record.keys():
        raise LocalError(f"{path} is not a record in OSV's format: id, modified and affected are needed")
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
                raise LocalError(f"{path}: event {other} is unknown, or no `introduced` precedes it")
    if introduced is not None:
        yield Range(introduced=introduced)


def _version(text: str) -> Version | None:
    # Versions older than the standard: no pin can equal one.
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _summary(record: Mapping[str, Any]) -> str:
    described = str(record.get("summary") or record.get("details") or "no summary")
    text = " ".join(_ADDRESS.sub("", described).split())
    return text if len(text) <= _SUMMARY_LENGTH else text[: _SUMMARY_LENGTH - 1].rstrip() + "…"


def _day(moment: Any) -> date:
    # YAML hands out a datetime, or a string where the source quoted it.
    parsed = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return parsed.date()
