"""The source of a release: one commit, with nothing beside it, whose version and changes are written down."""

import re
import tarfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

from dryrun_local.images.programs import ProgramError, capture
from dryrun_local.machine.errors import LocalError

_HEADING = re.compile(r"^## +\[?([^\]\s]+)\]?.*$", re.MULTILINE)
_DUNDER = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)


class NotReleasableError(LocalError):
    """The checkout cannot be released as this version; the text lists every reason."""

    def __init__(self, version: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join([f"{version} cannot be released:", *self.problems]))


@dataclass(frozen=True, slots=True)
class Source:
    """What a release is made of. `changes` is the version's section of CHANGELOG.md, as Markdown."""

    version: str
    commit: str
    committed: datetime
    """UTC; stands wherever a document has a time, so that two builds have the same bytes."""
    changes: str


async def read_source(root: Path, version: str) -> Source:
    """Return what `root` releases as `version`. Raises NotReleasableError with all reasons at once."""
    changes = section_of((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    problems = [] if _is_release(version) else [f"{version!r} is not the version of a release; write X.Y.Z"]
    changed = (await _git(root, "status", "--porcelain")).splitlines()
    if changed:
        named = ", ".join(line[3:] for line in changed[:5])
        problems.append(f"{len(changed)} files are not as committed ({named}); commit or remove them")
    if await _git(root, "tag", "--list", f"v{version}"):
        problems.append(f"the tag v{version} exists; a version is released once")
    if not changes:
        problems.append(f"CHANGELOG.md has no section `## {version}` with entries")
    problems.extend(_other_versions(root, version))
    if problems:
        raise NotReleasableError(version, problems)
    commit, seconds = (await _git(root, "log", "-1", "--format=%H %ct")).split()
    return Source(version, commit, datetime.fromtimestamp(int(seconds), UTC), changes)


def section_of(changelog: str, version: str) -> str:
    """Return the section of a version with its heading; empty where it has no entries."""
    for heading in _HEADING.finditer(changelog):
        following = _HEADING.search(changelog, heading.end())
        entries = changelog[heading.end() : following.start() if following else None].strip()
        if heading[1] == version and entries:
            return f"{heading[0].strip()}\n\n{entries}\n"
    return ""


def members(tree: Path) -> tuple[str, ...]:
    """Return the folders of the workspace's distributions, in the order of pyproject.toml."""
    workspace = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    return tuple(workspace["tool"]["uv"]["workspace"]["members"])


async def export(root: Path, commit: str, target: Path) -> None:
    """Write the files of a commit to `target`: what was never committed cannot get into a release."""
    archive = target.with_suffix(".tar")
    await _git(root, "archive", "--format=tar", f"--output={archive}", commit)
    with tarfile.open(archive) as files:
        files.extractall(target, filter="data")


def _is_release(version: str) -> bool:
    try:
        parsed = Version(version)
    except InvalidVersion:
        return False
    return str(parsed) == version and len(parsed.release) == 3 and parsed.local is None


def _other_versions(root: Path, version: str) -> Iterator[str]:
    """Yield every place that states another version: distributions, `__version__`, tags of service images."""
    for path, pattern in _stated_versions(root):
        for found in dict.fromkeys(pattern.findall(path.read_text(encoding="utf-8"))):
            if found != version:
                yield f"{path.relative_to(root)} has version {found}"


def _stated_versions(root: Path) -> Iterator[tuple[Path, re.Pattern[str]]]:
    names = []
    for folder in (".", *members(root)):
        yield root / folder / "pyproject.toml", re.compile(r'^version = "(.*)"$', re.MULTILINE)
        yield from ((path, _DUNDER) for path in (root / folder).glob("src/*/__init__.py"))
        names.append(_name(root / folder))
    of_service = rf"discovery/(?:{'|'.join(map(re.escape, names))})"
    in_files = re.compile(rf"^ *image: {of_service}:(\S+)$", re.MULTILINE)
    in_texts = re.compile(rf"\b{of_service}:(\d+\.\d+\.\d[\w.-]*)")
    for pattern, places in (
        (in_files, ("deploy/images/*/image.yml", "deploy/*.yaml", "deploy/fleet/*.yaml")),
        (in_texts, ("docs/*.md", "tests/*/*.py")),
    ):
        for place in places:
            yield from ((path, pattern) for path in sorted(root.glob(place)))


def _name(folder: Path) -> str:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["name"])


async def _git(root: Path, *arguments: str) -> str:
    code, output, error = await capture(["git", "-C", str(root), *arguments])
    if code:
        raise ProgramError(f"git {arguments[0]} failed: {error.strip()}")
    return output.rstrip("\n")
