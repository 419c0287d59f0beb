"""Reads one template's file and reports all its problems."""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from pydantic import ValidationError

from dryrun_contract.fault_words import in_words
from dryrun_orchestrator.catalog.allowlist import Allowlist
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifests
from dryrun_orchestrator.catalog.collector_order import CollectorOrderError
from dryrun_orchestrator.catalog.compose import (
    TOP_LEVEL,
    WHY_NOT_TOP_LEVEL,
    ServiceEntry,
    check_project_name,
    read_services,
    unescape,
)
from dryrun_orchestrator.catalog.host_labels import read_labels
from dryrun_orchestrator.catalog.stands_for import read_stands_for
from dryrun_orchestrator.catalog.template import (
    LoadedTemplate,
    Spread,
    TemplateCredential,
    TemplateFile,
)
from dryrun_orchestrator.catalog.variants import HARD_SHARE, Variants
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList, Node, shown

_HEADER_KEYS = {
    "title": True,
    "description": True,
    "credentials": False,
    "collectors": False,
    "shuffle": False,
    "stands_for": False,
    "spread": False,
    "hosts": False,
}
_SPREADS: Mapping[str, Spread] = {"targets": "targets", "collectors": "collectors"}
_CREDENTIAL_KEYS = {"engine": True, "username": False, "password": True, "services": False}
_ANYWHERE = {"host": "credentials are by engine, or for `services` of the template, never by host"}


def read_template(
    template_id: str, raw: bytes, report: FaultList, allowlist: Allowlist, manifests: CollectorManifests
) -> LoadedTemplate | None:
    """Return the template with seed 0; None or an incomplete one when `report` has faults."""
    document = read_yaml(raw, report, unescape=unescape)
    if document is None:
        return None
    fields = document.fields(TOP_LEVEL, WHY_NOT_TOP_LEVEL)
    if "name" in fields:
        check_project_name(fields["name"])
    header = fields["x-dryrun"].fields(_HEADER_KEYS) if "x-dryrun" in fields else {}
    title = header["title"].text(max_length=80) if "title" in header else None
    description = header["description"].text(max_length=2000) if "description" in header else None
    collectors = _read_collectors(header.get("collectors"), manifests)
    services = read_services(fields["services"], allowlist) if "services" in fields else ()
    # In the file's order, in which reports list facts.
    names = list(fields["services"].entries()) if services else []
    credentials = _read_credentials(header["credentials"], names) if "credentials" in header else ()
    stands_for = read_stands_for(header["stands_for"], names) if "stands_for" in header else None
    spread = _read_spread(header["spread"]) if "spread" in header else None
    hosts = read_labels(header["hosts"]) if "hosts" in header else {}
    groups = _read_groups(header["shuffle"], names, services) if "shuffle" in header else ()
    alternatives = {service.name: service.alternatives for service in services}
    variants = Variants({name: alternatives[name] for name in names if name in alternatives}, groups)
    too_many = variants.too_many_hard()
    if too_many is not None and not report.faults:
        fields["services"].fault(
            f"{too_many[0]} of {too_many[1]} facts are hard with some seed; at most a fifth may be "
            f"(one in {HARD_SHARE})"
        )
    if report.faults or title is None or description is None:
        return None
    return TemplateFile(
        id=template_id,
        title=title,
        description=description,
        digest=hashlib.sha256(raw).hexdigest(),
        services=services,
        variants=variants,
        credentials=credentials,
        collectors=collectors,
        stands_for=stands_for,
        spread=spread,
        hosts=hosts,
    ).with_seed(0)


def _read_spread(node: Node) -> Spread | None:
    """Read what a fleet is to keep on different hosts; it means nothing on one host."""
    word = node.text(max_length=40)
    if word is not None and word not in _SPREADS:
        node.fault(f"is {shown(word)}; it can be {' or '.join(_SPREADS)}")
    return _SPREADS.get(word or "")


def _read_credentials(node: Node, known: Collection[str]) -> tuple[TemplateCredential, ...]:
    found: list[TemplateCredential] = []
    for item in node.items():
        fields = item.fields(_CREDENTIAL_KEYS, _ANYWHERE)
        services = fields.pop("services", None)
        values: dict[str, object] = {key: field.string(max_length=1000) for key, field in fields.items()}
        if services is not None:
            values["services"] = _read_names(services, known)
        if "engine" not in fields or "password" not in fields or None in values.values():
            continue
        try:
            found.append(TemplateCredential.model_validate(values))
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False):
                fields.get(str(problem["loc"][0]), item).fault(in_words(problem))
    return tuple(found)


def _read_names(node: Node, known: Collection[str]) -> tuple[str, ...]:
    """Read which services a credential is for; one at least."""
    names: list[str] = []
    for item in node.items():
        name = item.text()
        if name is None:
            continue
        if name not in known:
            item.fault(f"there is no service {shown(name)}")
        names.append(name)
    if isinstance(node.content, list) and not names:
        node.fault("is empty; leave the key out for a credential that every service may see")
    return tuple(names)


def _read_groups(
    node: Node, known: Collection[str], services: Iterable[ServiceEntry]
) -> tuple[tuple[str, ...], ...]:
    """Read which services may swap places; a service with dependencies in either direction may not."""
    bound = {service.name for service in services if service.depends_on}
    bound |= {each.service for service in services for each in service.depends_on}
    found: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for group in node.items():
        names: list[str] = []
        items = group.items()
        for item in items:
            name = item.text()
            if name is None:
                continue
            if name not in known:
                item.fault(f"there is no service {shown(name)} that could change places")
            elif name in seen:
                item.fault(f"names {shown(name)} a second time")
            elif name in bound:
                item.fault(f"{shown(name)} waits for another service or is waited for, so it keeps its place")
            seen.add(name)
            names.append(name)
        if isinstance(group.content, list) and len(items) < 2:
            group.fault("is not a group: two services at least change places")
        found.append(tuple(names))
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
