"""The installed files in use: allowlist, collector manifests and templates.

Files are reread while the service runs and compared by content: sizes and times can be set back. Invalid
files leave the last good ones in use. A session keeps the files it began with: copies stay beside the
journal, under the digest in the session's row.
"""

import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dryrun_contract.pool import ANY_TEMPLATE
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice
from dryrun_orchestrator.catalog.allowlist import (
    MAX_ALLOWLIST_BYTES,
    AllowedImage,
    Allowlist,
    load_allowlist,
)
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import (
    OperatorFileError,
    UnreadableFileError,
    read_regular_file,
)
from dryrun_orchestrator.catalog.prepared_network import PREPARED_NETWORK
from dryrun_orchestrator.catalog.reader_tables import READERS
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.templates import TemplateCatalog
from dryrun_orchestrator.storage import NotStoredError

log = logging.getLogger(__name__)

ALLOWLIST: Final = "allowlist.json"
COLLECTORS: Final = "collectors"
TEMPLATES: Final = "templates"
KEEP_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files are."""

    allowlist: Path
    collectors: Path
    templates: Path
    replicas: Path | None = None
    """Templates made from inventories; a folder that is not there has none."""

    @property
    def template_folders(self) -> tuple[Path, ...]:
        """All folders with templates; the first has to be there."""
        more = self.replicas if self.replicas is not None and self.replicas.is_dir() else None
        return (self.templates,) if more is None else (self.templates, more)


@dataclass(frozen=True, slots=True)
class Installed:
    """One valid state of all files."""

    digest: str
    """64 hex digits: SHA-256 over the names and contents of all files."""
    allowlist: Allowlist
    templates: TemplateCatalog
    contents: Mapping[str, bytes]
    """By path: `allowlist.json`, and `NAME.yml` in `collectors`, `collectors/readers` and `templates`."""

    def planned(self, template: str, seed: int, scan: ScanChoice = NO_CHOICE) -> LoadedTemplate:
        """Return the template that a session's row names; for a prepared network one without services.

        Raises UnknownTemplateError, TemplateInvalidError, ScanChoiceError.
        """
        return PREPARED_NETWORK if template == ANY_TEMPLATE else self.templates.get(template, seed, scan)


class OperatorFiles:
    """The files in use. Methods that access files block; they may be called from any thread."""

    def __init__(self, places: Places, kept: Path) -> None:
        """Read all files; `kept` is the folder for copies. Raises OperatorFileError when one is invalid."""
        self._places = places
        self._kept = kept
        self._lock = threading.Lock()
        self.fault: str | None = None
        """Why changed files are not in use, in one line; None when the installed files are in use."""
        self.current = _load(places, _read(places))
        self._seen = self.current.digest
        _tell_faults(self.current)

    def image(self, name: str) -> AllowedImage:
        """Return an image of the allowlist in use. Raises ImageNotApprovedError."""
        return self.current.allowlist.image(name)

    def reread(self) -> None:
        """Use files that changed since, if they are valid; log invalid ones once."""
        with self._lock:
            contents = _read(self._places)
            digest = _digest(contents)
            if digest == self._seen:
                return
            try:
                read = _load(self._places, contents)
                _require_what_worked(self.current, read)
                if _digest(_read(self._places)) != digest:
                    return  # being written right now: the next call sees the complete file
            except OperatorFileError as error:
                self.fault = " ".join(str(error).split())
                log.warning("installed files are invalid; the last good ones stay in use: %s", self.fault)
            else:
                self.fault = None
                self.current = read
                log.info("installed files changed; in use are now those of digest %s", digest)
                _tell_faults(read)
            self._seen = digest

    def keep(self, installed: Installed) -> None:
        """Write a copy for a session that begins with it; it survives the process. Raises NotStoredError."""
        folder = self._kept / installed.digest
        with self._lock:
            unfinished = self._kept / f"{installed.digest}.unfinished"
            try:
                if folder.is_dir():
                    # An old copy, whose files are being replaced, is a recent one until the session's row is
                    # stored: `forget` lists the rows before it looks here.
                    os.utime(folder)
                    return
                _write(installed, unfinished, folder)
            except OSError as error:
                shutil.rmtree(unfinished, ignore_errors=True)  # it holds the last room there is
                what = "a copy of the installed files"
                raise NotStoredError.because(what, error, self._kept) from error

    def of(self, digest: str | None) -> Installed | None:
        """Return the files with this digest, those in use for None; None when neither in use nor kept."""
        current = self.current
        if digest in (None, current.digest):
            return current
        folder = self._kept / str(digest)
        places = Places(folder / ALLOWLIST, folder / COLLECTORS, folder / TEMPLATES)
        try:
            kept = _load(places, _read(places))
        except OperatorFileError as error:
            log.warning("the kept files of digest %s do not read: %s", digest, error)
            return None
        return kept if kept.digest == digest else None

    def forget(self, needed: Collection[str | None]) -> None:
        """Remove copies that no session needs. A recent copy may belong to a session not yet listed."""
        with self._lock:
            for folder in self._kept.iterdir() if self._kept.is_dir() else ():
                is_old = folder.stat().st_mtime < time.time() - KEEP_SECONDS
                if is_old and folder.name not in {*needed, self.current.digest}:
                    shutil.rmtree(folder, ignore_errors=True)


def _write(installed: Installed, unfinished: Path, folder: Path) -> None:
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in (f"{COLLECTORS}/{READERS}", TEMPLATES):
        (unfinished / name).mkdir(parents=True, mode=0o700)
    for path, content in installed.contents.items():
        with (unfinished / path).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    unfinished.rename(folder)


def _read(places: Places) -> dict[str, bytes]:
    """Return the files' contents, unvalidated; unreadable files are left out."""
    found: dict[str, bytes] = {}
    try:
        with places.allowlist.open("rb") as file:
            found[ALLOWLIST] = file.read(MAX_ALLOWLIST_BYTES + 1)
    except OSError:
        pass  # loading it reports why
    # The first of two files with one name counts, as the catalog has it.
    folders = [(TEMPLATES, folder) for folder in reversed(places.template_folders)]
    folders += [(COLLECTORS, places.collectors), (f"{COLLECTORS}/{READERS}", places.collectors / READERS)]
    for name, folder in folders:
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".yml")
        except OSError:
            continue
        for path in paths:
            try:
                found[f"{name}/{path.name}"] = read_regular_file(path)
            except UnreadableFileError:
                continue
    return found


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(contents.items()):
        digest.update(f"{len(path.encode())} {path} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _load(places: Places, contents: Mapping[str, bytes]) -> Installed:
    allowlist = load_allowlist(places.allowlist)
    manifests = load_collector_manifests(places.collectors, allowlist)
    templates = TemplateCatalog(places.template_folders, allowlist, manifests)
    return Installed(_digest(contents), allowlist, templates, contents)


def _require_what_worked(before: Installed, now: Installed) -> None:
    """Raise OperatorFileError when a template that was valid is still there and invalid now."""
    broken = {template.id for template in before.templates.valid()} & set(now.templates.ids())
    for template_id in sorted(broken):
        now.templates.get(template_id)


def _tell_faults(installed: Installed) -> None:
    for fault in installed.templates.faults():
        log.error("template: %s: %s", fault.where, fault.what)
