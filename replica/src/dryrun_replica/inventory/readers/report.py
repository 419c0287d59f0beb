"""Reads the report of a rehearsal: the network as its ground truth had it, not as collectors saw it.

Each host keeps the name and the id of the image that it was, so that its stand-in is that image again where
it is installed.
"""

import re

from pydantic import JsonValue

from dryrun_contract.census import ClassService
from dryrun_contract.report import MapPlace, Report
from dryrun_contract.report_reading import UnreadableReportError, read_report
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.scores import Scores
from dryrun_replica.inventory.faults import FaultList
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost
from dryrun_replica.inventory.found_service import FoundService
from dryrun_replica.inventory.model import WRAPPED, Transport
from dryrun_replica.inventory.readers.discoveries import found_service, host_named
from dryrun_replica.inventory.tree import Item

_LABEL = re.compile(r"(?P<product>\S.*?) (?P<version>v?\d\S*)")
_PLACE = re.compile(r"(?P<port>\d{1,5})/(?P<transport>tcp|udp)")
_OWN_PRODUCT = frozenset({"same_version", "same_product"})
_READ = frozenset({"service", "certificate", "web_app"})


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the hosts of a report's ground truth to `findings`."""
    try:
        report = read_report(raw)
    except UnreadableReportError as error:
        findings.faults.add(file, str(error))
        return
    if report.scores is None:
        findings.faults.add(file, f"has no scores, and so no ground truth: {report.scores_missing or 'none'}")
        return
    findings.rehearsed[report.template.id] = None
    stood_in = _stand_ins(report)
    images = {target.service: target for target in report.images}
    for name in _hosts(report):
        host = host_named(name, findings)
        if name in images:
            host.image, host.image_id = images[name].image, images[name].image_id
            host.rehearsed = report.template.id
    for target in report.network.truth if report.network is not None else ():
        for place in target.places:
            _add_place(
                host_named(target.name, findings), place, stood_in.get((target.name, place.place)), findings
            )
    unnamed = frozenset(
        ":".join(place) for place, each in stood_in.items() if each.level == "banner" and each.product is None
    )
    _add_facts(report.scores, file, findings, unnamed, labelled=report.network is not None)


def _hosts(report: Report) -> list[str]:
    if report.network is not None:
        return [host.name for host in report.network.truth]
    return [target.service for target in report.images]


def _stand_ins(report: Report) -> dict[tuple[str, str], ClassService]:
    """Return what stood at each place of each target, where the report is one of a replica."""
    classes = report.observation.census.classes if report.observation is not None else ()
    return {
        (target, service.place): service
        for each in classes
        for target in each.targets
        for service in each.services
    }


def _add_place(host: FoundHost, place: MapPlace, stood_in: ClassService | None, findings: Findings) -> None:
    at = _PLACE.fullmatch(place.place)
    if at is None or not 1 <= int(at["port"]) <= 65535:
        return
    label = _LABEL.fullmatch(place.label[:300])
    product, version = (label["product"], label["version"]) if label else (place.label or None, None)
    if stood_in is not None and stood_in.level in _OWN_PRODUCT:
        # Earlier stand-ins called their product by any name that was right.
        product = stood_in.product or product
    service = FoundService(
        product=product,
        version=version,
        confidence=0.9,
        from_scanner=True,
        is_banner=stood_in is not None and stood_in.level == "banner",
    )
    transport: Transport = "udp" if at["transport"] == "udp" else "tcp"
    findings.add_service(host, int(at["port"]), transport, service)


def _add_facts(
    scores: Scores, file: str, findings: Findings, unnamed: frozenset[str], *, labelled: bool
) -> None:
    """Add what facts say of services; `labelled` places have their product and version already.

    Of an open port nobody can say more than a guess by its number: `unnamed` are their keys. Without labels,
    what was reported is true where nothing says that it is wrong.
    """
    wrong: dict[tuple[str, str], dict[str, JsonValue]] = {}
    for each in scores.wrong_values:
        wrong.setdefault((each.kind, each.key), {})[each.attribute] = each.expected
    for missed in scores.false_negatives:
        if missed.attribute is not None:
            wrong.setdefault((missed.kind, missed.key), {})[missed.attribute] = missed.expected
    for fact in scores.found:
        if fact.kind in _READ:
            true = {**fact.data, **wrong.get((fact.kind, fact.key), {})}
            first = {
                name: value[0] if isinstance(value, list) and value and name == "product" else value
                for name, value in true.items()
                if not (labelled and name in {"product", "version"})
                and not (name == "name" and value != WRAPPED and fact.key in unnamed)
            }
            _add_fact(fact.kind, fact.key, Item(first, file, FaultList(), fact.key), findings)
    for missed in scores.false_negatives:
        if missed.attribute is None and missed.kind in {"host", "service"}:
            _add_fact(missed.kind, missed.key, Item({}, file, FaultList(), missed.key), findings)


def _add_fact(kind: str, text: str, data: Item, findings: Findings) -> None:
    try:
        key = ResourceKey.parse(text[:1000])
    except ValueError as error:
        findings.faults.add(data.where, str(error))
        return
    host = host_named(key.host, findings)
    if key.port is not None and not (kind == "web_app" and key.path):
        transport: Transport = "udp" if key.transport == "udp" else "tcp"
        confidence = 1.0 if data.value else 0.5
        findings.add_service(host, key.port, transport, found_service(kind, data, confidence))
