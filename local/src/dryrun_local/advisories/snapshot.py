"""The committed snapshot of known vulnerabilities: which versions of which packages an advisory affects."""

from datetime import date
from pathlib import Path

from packaging.version import Version
from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Model):
    """Versions from `introduced` up to `fixed` (not affected) or `last_affected` (affected), or open."""

    introduced: str
    fixed: str | None = None
    last_affected: str | None = None

    def holds(self, version: Version) -> bool:
        """Return whether a version lies in the range; "0" includes every version, pre-releases too."""
        if self.introduced != "0" and version < Version(self.introduced):
            return False
        if self.fixed is not None:
            return version < Version(self.fixed)
        return self.last_affected is None or version <= Version(self.last_affected)


class Advisory(_Model):
    """The fields used of one record; `versions` lists affected ones outside of all ranges."""

    id: str
    aliases: tuple[str, ...] = ()
    summary: str
    modified: date
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()

    def affects(self, version: Version) -> bool:
        """Return whether a version is affected."""
        return any(one.holds(version) for one in self.ranges) or any(
            version == Version(one) for one in self.versions
        )


class Snapshot(_Model):
    """The advisories of every package that was looked up; a package without any has an empty list."""

    source: str
    licence: str
    note: str
    taken: date
    newest_record: date
    packages: dict[str, tuple[Advisory, ...]]


def load(path: Path) -> Snapshot:
    """Read a committed snapshot."""
    return Snapshot.model_validate_json(path.read_bytes())
