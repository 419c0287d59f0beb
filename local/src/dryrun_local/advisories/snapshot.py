"""The committed snapshot of known vulnerabilities: which versions of which packages an advisory affects."""

from datetime import date
from pathlib import Path

from packaging.version import Version
from pydantic import BaseModel, ConfigDict


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


def load(path: Path) -> Snapshot:
    """Read a committed snapshot."""
    return Snapshot.model_validate_json(path.read_bytes())
