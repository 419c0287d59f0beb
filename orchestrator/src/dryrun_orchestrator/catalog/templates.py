"""The templates a session can be made from: read once, from one folder, each valid or known to be broken."""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dryrun_contract.collector_config import Credential
from dryrun_contract.ground_truth import Fact, GroundTruth
from dryrun_contract.problem import Fault
from dryrun_contract.template import TEMPLATE_ID, Template, TemplateService, TemplateSummary
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.collector_manifests import (
    CollectorManifest,
    CollectorManifests,
    CollectorOrderError,
)
from dryrun_orchestrator.catalog.compose import (
    TOP_LEVEL,
    WHY_NOT_TOP_LEVEL,
    Dependency,
    LoadedService,
    check_project_name,
    read_services,
    unescape,
)
from dryrun_orchestrator.catalog.operator_file import (
    OperatorFileError,
    UnreadableFileError,
    read_regular_file,
)
from dryrun_orchestrator.catalog.truth_reader import of_service, read_ground_truth
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import Node, Report, shown

__all__ = [
    "Dependency",
    "LoadedService",
    "LoadedTemplate",
    "TemplateCatalog",
    "TemplateFolderError",
    "TemplateInvalidError",
    "UnknownTemplateError",
    "load_template",
]

_TEMPLATE_ID = re.compile(TEMPLATE_ID.removeprefix("^").removesuffix("$"))
_HEADER_KEYS = {"title": True, "description": True, "credentials": False, "collectors": False}
_CREDENTIAL_KEYS = {"engine": True, "username": False, "password": True}
_ANYWHERE = {"host": "credentials are by engine, never by host"}


class TemplateInvalidError(OperatorFileError):
    """A template's file is not valid; `faults` holds all of its problems, `template_id` names it."""

    def __init__(self, template_id: str, faults: Iterable[Fault]) -> None:
        self.template_id = template_id
        super().__init__(f"the template '{printable(template_id)}' is not valid", faults)


class TemplateFolderError(OperatorFileError):
    """The folder of templates cannot be read."""


class UnknownTemplateError(Exception):
    """There is no template of this id; `known` lists those there are, broken ones too."""

    def __init__(self, template_id: str, known: tuple[str, ...]) -> None:
        self.template_id = template_id
        self.known = known
        close = difflib.get_close_matches(template_id, known, n=1)
        self.suggestion = close[0] if close else None
        hint = f"; did you mean '{self.suggestion}'?" if close else "."
        super().__init__(
            f"there is no template '{printable(template_id, limit=80)}'{hint} "
            f"Known templates are: {', '.join(known) or 'none'}"
        )


@dataclass(frozen=True, slots=True)
class LoadedTemplate:
    """A valid template: all that a session is built from, and what it is scored against."""

    id: str
    title: str
    description: str
    digest: str
    """`sha256:…` over the file's bytes, its ground truth with facts replaced, and the ids of its images."""
    services: tuple[LoadedService, ...]
    """Each after those it depends on; in the file's order otherwise."""
    credentials: tuple[Credential, ...]
    ground_truth: GroundTruth
    collectors: tuple[CollectorManifest, ...]
    """Each after those that provide what it needs."""

    def service(self, name: str) -> LoadedService:
        """Return the service of this name. Raises KeyError."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)

    def summary(self) -> TemplateSummary:
        """Return what a person chooses from."""
        return TemplateSummary.model_validate(self._words())

    def full(self) -> Template:
        """Return it with its ground truth; for the approval API only."""
        return Template.model_validate({**self._words(), "ground_truth": self.ground_truth})

    def _words(self) -> dict[str, object]:
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "digest": self.digest,
            "services": tuple(
                TemplateService(
                    name=service.name,
                    image=service.image.name,
                    depends_on=tuple(dependency.service for dependency in service.depends_on),
                )
                for service in self.services
            ),
            "collectors": tuple(collector.name for collector in self.collectors),
        }


class TemplateCatalog:
    """All `*.yml` of a folder, read once. A broken file takes only itself out.

    Raises TemplateFolderError when the folder cannot be read.
    """

    def __init__(self, folder: Path, allowlist: Allowlist, manifests: CollectorManifests) -> None:
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".yml")
        except OSError as error:
            fault = Fault(where=str(folder), what=f"cannot be read: {error.strerror}")
            raise TemplateFolderError("the folder of templates", [fault]) from error
        self._valid: dict[str, LoadedTemplate] = {}
        self._broken: dict[str, tuple[Fault, ...]] = {}
        self._misnamed: list[Fault] = []
        for path in paths:
            if not _TEMPLATE_ID.fullmatch(path.stem):
                what = (
                    "is no template: its name is no id (lower-case letters, digits and '-', first a letter)"
                )
                self._misnamed.append(Fault(where=f"{folder.name}/{printable(path.name)}", what=what))
                continue
            try:
                self._valid[path.stem] = load_template(path, allowlist, manifests)
            except TemplateInvalidError as error:
                self._broken[path.stem] = error.faults

    def ids(self) -> tuple[str, ...]:
        """Return every known id in alphabetical order, broken templates too."""
        return tuple(sorted([*self._valid, *self._broken]))

    def get(self, template_id: str) -> LoadedTemplate:
        """Return the template. Raises UnknownTemplateError, and TemplateInvalidError for a broken file."""
        if template_id in self._broken:
            raise TemplateInvalidError(template_id, self._broken[template_id])
        if template_id not in self._valid:
            raise UnknownTemplateError(template_id, self.ids())
        return self._valid[template_id]

    def valid(self) -> tuple[LoadedTemplate, ...]:
        """Return every template that a session can be made from, by id."""
        return tuple(self._valid[template_id] for template_id in sorted(self._valid))

    def faults(self) -> tuple[Fault, ...]:
        """Return every fault of every file, for the log and for whoever asks whether all is well."""
        return (*self._misnamed, *(fault for faults in self._broken.values() for fault in faults))


def load_template(path: Path, allowlist: Allowlist, manifests: CollectorManifests) -> LoadedTemplate:
    """Read one file; its name without `.yml` is the id. Raises TemplateInvalidError with all problems."""
    report = Report(f"{path.parent.name}/{path.name}")
    loaded: LoadedTemplate | None = None
    try:
        loaded = _read_template(path.stem, read_regular_file(path), report, allowlist, manifests)
    except UnreadableFileError as error:
        report.add(str(error))
    if loaded is None or report.faults:
        raise TemplateInvalidError(path.stem, report.faults)
    return loaded


def _read_template(
    template_id: str, raw: bytes, report: Report, allowlist: Allowlist, manifests: CollectorManifests
) -> LoadedTemplate | None:
    document = read_yaml(raw, report, unescape=unescape)
    if document is None:
        return None
    fields = document.fields(TOP_LEVEL, WHY_NOT_TOP_LEVEL)
    if "name" in fields:
        check_project_name(fields["name"])
    header = fields["x-dryrun"].fields(_HEADER_KEYS) if "x-dryrun" in fields else {}
    title = header["title"].text(max_length=80) if "title" in header else None
    description = header["description"].text(max_length=2000) if "description" in header else None
    credentials = _read_credentials(header["credentials"]) if "credentials" in header else ()
    collectors = _read_collectors(header.get("collectors"), manifests)
    services, truths = read_services(fields["services"], allowlist) if "services" in fields else ((), {})
    facts = tuple(fact for name, truth in truths.items() for fact in _facts_of(name, *truth))
    if report.faults or title is None or description is None:
        return None
    return LoadedTemplate(
        id=template_id,
        title=title,
        description=description,
        digest=_digest(raw, services, facts),
        services=services,
        credentials=credentials,
        ground_truth=GroundTruth(facts=facts),
        collectors=collectors,
    )


def _read_credentials(node: Node) -> tuple[Credential, ...]:
    found: list[Credential] = []
    for item in node.items():
        fields = item.fields(_CREDENTIAL_KEYS, _ANYWHERE)
        values = {key: field.string(max_length=1000) for key, field in fields.items()}
        if "engine" not in fields or "password" not in fields or None in values.values():
            continue
        try:
            found.append(Credential.model_validate(values))
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False):
                fields.get(str(problem["loc"][0]), item).fault(problem["msg"])
    return tuple(found)


def _read_collectors(node: Node | None, manifests: CollectorManifests) -> tuple[CollectorManifest, ...]:
    if node is None:
        return manifests.in_order()
    names: list[str] = []
    items = node.items()
    if node.content == []:
        node.fault("is empty; leave it out to run all collectors")
    for item in items:
        name = item.text()
        if name is None:
            continue
        if name in names:
            item.fault(f"names {shown(name)} a second time")
        elif name not in manifests.by_name:
            item.fault(f"there is no collector {shown(name)}; known are {', '.join(manifests.by_name)}")
        else:
            names.append(name)
    if len(names) < len(items):
        return ()
    try:
        return manifests.in_order(names)
    except CollectorOrderError as error:
        for problem in error.problems:
            node.fault(problem)
        return ()


def _facts_of(service: str, image: AllowedImage | None, node: Node | None) -> tuple[Fact, ...]:
    """Return what is true of one service: what the template says, else what its image says."""
    if node is None:
        return () if image is None else of_service(image.ground_truth, service)
    name, facts = (None, {}) if image is None else (image.name, image.facts)
    return of_service(read_ground_truth(node, name, facts), service)


def _digest(raw: bytes, services: Iterable[LoadedService], facts: Iterable[Fact]) -> str:
    content = {
        "file": hashlib.sha256(raw).hexdigest(),
        "ground_truth": [fact.model_dump(mode="json") for fact in facts],
        "images": {service.image.name: service.image.id for service in services},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
