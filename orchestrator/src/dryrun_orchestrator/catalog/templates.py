"""The installed templates, each valid or invalid."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from dryrun_contract.problem import Fault
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice
from dryrun_contract.template import TEMPLATE_ID
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.allowlist import Allowlist
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifests
from dryrun_orchestrator.catalog.operator_file import (
    OperatorFileError,
    UnreadableFileError,
    read_regular_file,
)
from dryrun_orchestrator.catalog.scan_choice import chosen_collectors
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.template_reader import read_template
from dryrun_orchestrator.catalog.yaml_tree import FaultList

_TEMPLATE_ID = re.compile(TEMPLATE_ID.removeprefix("^").removesuffix("$"))


class TemplateInvalidError(OperatorFileError):
    """A template's file is invalid; `faults` lists all its problems, `template_id` names it."""

    def __init__(self, template_id: str, faults: Iterable[Fault]) -> None:
        self.template_id = template_id
        super().__init__(f"the template '{printable(template_id)}' is not valid", faults)


class TemplateFolderError(OperatorFileError):
    """The folder of templates cannot be read."""


_WHEN_IMPORTED = (
    "An imported network is one of them some seconds after its import; in a deployment, after deploy/prepare"
)


class UnknownTemplateError(Exception):
    """No template has this id; `known` lists the existing ones, invalid ones included."""

    def __init__(self, template_id: str, known: tuple[str, ...]) -> None:
        self.template_id = template_id
        self.known = known
        close = difflib.get_close_matches(template_id, known, n=1)
        self.suggestion = close[0] if close else None
        hint = f"; did you mean '{self.suggestion}'?" if close else "."
        super().__init__(
            f"there is no template '{printable(template_id, limit=80)}'{hint} "
            f"Known templates are: {', '.join(known) or 'none'}. {_WHEN_IMPORTED}"
        )


class TemplateCatalog:
    """All `*.yml` of some folders, read once. An invalid file affects only its own template.

    Raises TemplateFolderError when a folder cannot be read.
    """

    def __init__(self, folders: Iterable[Path], allowlist: Allowlist, manifests: CollectorManifests) -> None:
        self._manifests = manifests
        self._valid: dict[str, LoadedTemplate] = {}
        self._broken: dict[str, tuple[Fault, ...]] = {}
        self._misnamed: list[Fault] = []
        for path in _paths(folders):
            if not _TEMPLATE_ID.fullmatch(path.stem):
                what = (
                    "is not a template: its name is not an id (lower-case letters, digits and '-', "
                    "the first one a letter)"
                )
                self._misnamed.append(Fault(where=f"{path.parent.name}/{printable(path.name)}", what=what))
                continue
            if path.stem in self.ids():
                what = "is not used: another folder has a template of this name"
                self._misnamed.append(Fault(where=f"{path.parent.name}/{path.name}", what=what))
                continue
            try:
                self._valid[path.stem] = load_template(path, allowlist, manifests)
            except TemplateInvalidError as error:
                self._broken[path.stem] = error.faults

    def ids(self) -> tuple[str, ...]:
        """Return every known id in alphabetical order, those of invalid templates included."""
        return tuple(sorted([*self._valid, *self._broken]))

    def get(self, template_id: str, seed: int = 0, scan: ScanChoice = NO_CHOICE) -> LoadedTemplate:
        """Return the template with this seed, to be scanned as chosen.

        Raises UnknownTemplateError, TemplateInvalidError for an invalid file, and ScanChoiceError.
        """
        if template_id in self._broken:
            raise TemplateInvalidError(template_id, self._broken[template_id])
        if template_id not in self._valid:
            raise UnknownTemplateError(template_id, self.ids())
        template = self._valid[template_id]
        seeded = template.file.with_seed(seed) if seed else template
        if scan.is_empty:
            return seeded
        return replace(seeded, collectors=chosen_collectors(seeded.collectors, self._manifests, scan))

    def valid(self) -> tuple[LoadedTemplate, ...]:
        """Return every valid template, by id."""
        return tuple(self._valid[template_id] for template_id in sorted(self._valid))

    def faults(self) -> tuple[Fault, ...]:
        """Return every fault of every file, for the log and readiness."""
        return (*self._misnamed, *(fault for faults in self._broken.values() for fault in faults))


def _paths(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        try:
            yield from sorted(path for path in folder.iterdir() if path.suffix == ".yml")
        except OSError as error:
            fault = Fault(where=str(folder), what=f"cannot be read: {error.strerror}")
            raise TemplateFolderError("the folder of templates", [fault]) from error


def load_template(path: Path, allowlist: Allowlist, manifests: CollectorManifests) -> LoadedTemplate:
    """Read one file; its name without `.yml` is the id. Raises TemplateInvalidError with all problems."""
    report = FaultList(f"{path.parent.name}/{path.name}")
    loaded: LoadedTemplate | None = None
    try:
        loaded = read_template(path.stem, read_regular_file(path), report, allowlist, manifests)
    except UnreadableFileError as error:
        report.add(str(error))
    if loaded is None or report.faults:
        raise TemplateInvalidError(path.stem, report.faults)
    return loaded
