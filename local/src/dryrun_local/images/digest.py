"""Digest over everything that goes into an image, to tell whether it is current."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from dryrun_local.images.folders import ImageFolder
from dryrun_local.images.manifest import PythonParts

LABEL = "discovery.folder.digest"
_BUILDER = b"1"
"""Increase it when the builder makes different images from the same folders."""
_IGNORED = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache"})


def folder_digests(folders: Mapping[str, ImageFolder], root: Path) -> dict[str, str]:
    """Return `sha256:…` for each folder, over its files, its Python parts and its parents' digests.

    `folders` are in build order, as `load_folders` returns them.
    """
    digests: dict[str, str] = {}
    for folder in folders.values():
        content = hashlib.sha256(_BUILDER)
        for parent in folder.manifest.parents:
            content.update(f"parent {parent} {digests[parent]}\n".encode())
        for path in _sources(folder, root):
            executable = path.stat().st_mode & 0o100
            file_digest = hashlib.sha256(path.read_bytes()).hexdigest()
            # A folder outside of the project is named by its own folder and `images`, wherever that is.
            base = root if path.is_relative_to(root) else folder.path.parent.parent
            content.update(f"{path.relative_to(base)} {executable:o} {file_digest}\n".encode())
        digests[folder.name] = f"sha256:{content.hexdigest()}"
    return digests


def _sources(folder: ImageFolder, root: Path) -> Iterator[Path]:
    parts = folder.manifest.python or PythonParts()
    yield from _files(folder.path)
    if parts.requirements is not None:
        yield root / parts.requirements
    for package in parts.packages:
        yield from _files(root / package / "src")


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _IGNORED.isdisjoint(path.parts):
            yield path
