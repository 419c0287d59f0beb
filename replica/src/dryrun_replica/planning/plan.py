"""The plan of a replica: which hosts it stands for, by which stand-ins, how well, and at what cost."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from dryrun_contract.base import UtcTime, Word
from dryrun_replica.classes.grouping import HostClass, group
from dryrun_replica.classes.sampling import MAX_TARGETS, Sample, choose, cut
from dryrun_replica.inventory.model import Host, HostName, Inventory, Note, Service, Source
from dryrun_replica.levels import Level, Match
from dryrun_replica.planning.coverage import Coverage, MatchHost, cover

type ReplicaName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$", max_length=30)
]
"""Part of a template's id and of images' names."""

PLAN_VERSION = 1
SECONDS_OF_AN_IMAGE = 3.5
"""Time to build a stand-in on the shared root, without the `fill` of its services. Measured: 14, two at once,
took 27 s on 2 busy cores."""
AT_ONCE = 2
"""Images that are built at once."""
MAX_CREDENTIALS = 200
"""Credentials of one plan: a few of each template that was rehearsed."""


class PlannedService(Word):
    """One service of a class, and what would stand for it."""

    place: str
    """Port and transport, e.g. `443/tcp`."""
    label: str
    """Product and version as the inventory has them, else the protocol."""
    shown: str = ""
    """The label, or what a scanner saw of a port that nobody can name; empty in plans of earlier versions."""
    tls: bool
    product: str | None = None
    """As the inventory has it, without its version."""
    match: Match


class PlannedClass(Word):
    """A class of hosts, its stand-in, and how often it is in which template."""

    name: HostName
    role: HostName
    hosts: int
    targets: int
    """How many of all targets stand for it; 0 for one that is left out."""
    services: tuple[PlannedService, ...]
    image: str | None
    """The image that it stands on already, where the inventory is a report."""


WITHOUT_PASSWORDS = {"credentials": {"__all__": {"password"}}}
"""What is left out of a plan that is printed: logs keep it."""


class PlannedCredential(Word):
    """A credential of a template that was rehearsed, for the hosts that stand on its images again."""

    engine: str
    username: str | None
    password: str = Field(repr=False)
    hosts: tuple[HostName, ...]


class PlannedTemplate(Word):
    """One template of the replica."""

    id: str
    sample: Sample


class Estimate(Word):
    """What building is expected to take, by what recipes state; only an estimate."""

    images: int
    seconds: float
    size_mb: int


class Plan(Word):
    """Everything that an operator reviews before anything is built."""

    version: int = PLAN_VERSION
    name: ReplicaName
    seed: int
    made_at: UtcTime
    sources: tuple[Source, ...]
    names_kept: bool
    hosts: int
    hosts_without_services: int
    classes: tuple[PlannedClass, ...]
    templates: tuple[PlannedTemplate, ...] = Field(min_length=1)
    credentials: tuple[PlannedCredential, ...] = Field(default=(), max_length=MAX_CREDENTIALS)
    coverage: Coverage
    estimate: Estimate
    notes: tuple[Note, ...]

    @property
    def targets(self) -> int:
        """Targets of all templates."""
        return sum(template.sample.targets for template in self.templates)

    @property
    def left_out(self) -> tuple[PlannedClass, ...]:
        """Classes that no target stands for."""
        return tuple(each for each in self.classes if not each.targets)


def keep_images(inventory: Inventory, installed: Mapping[str, str]) -> Inventory:
    """Return the inventory in which hosts have only images that are `installed`; others need stand-ins.

    `installed` maps the names of targets' images to their ids; one of the same name with another content is
    another image.
    """
    hosts = tuple(
        host
        if host.image is None or (host.image_id is not None and installed.get(host.image) == host.image_id)
        else host.model_copy(update={"image": None, "image_id": None})
        for host in inventory.hosts
    )
    return inventory.model_copy(update={"hosts": hosts})


def make_plan(
    name: ReplicaName,
    inventory: Inventory,
    match_host: MatchHost,
    now: datetime,
    *,
    seed: int = 0,
    all_hosts: bool = False,
    most: int = MAX_TARGETS,
) -> Plan:
    """Return the plan of a replica: one sampled template, or with `all_hosts` as many as it takes.

    `now` is when it is made. A host that has an image already stands on it. The same inventory, recipes and
    seed give the same plan.
    """
    classes = group(inventory)
    matches = {
        each.name: _same(each.example) if each.example.image is not None else match_host(each.example)
        for each in classes
    }
    samples = cut(classes, most) if all_hosts else (choose(classes, seed, most),)
    targets: dict[str, int] = {}
    for sample in samples:
        for chosen in sample.chosen:
            targets[chosen.host_class] = targets.get(chosen.host_class, 0) + len(chosen.hosts)
    ids = template_ids(name, len(samples))
    planned = tuple(_planned(each, matches[each.name], targets.get(each.name, 0)) for each in classes)
    return Plan(
        name=name,
        seed=seed,
        made_at=now,
        sources=inventory.sources,
        names_kept=inventory.names_kept,
        hosts=len(inventory.hosts),
        hosts_without_services=sum(not host.services for host in inventory.hosts),
        classes=planned,
        templates=tuple(
            PlannedTemplate(id=each, sample=sample) for each, sample in zip(ids, samples, strict=True)
        ),
        coverage=cover(classes, matches, frozenset(targets)),
        estimate=estimate(planned),
        notes=inventory.notes,
    )


def template_ids(name: str, count: int, width: int | None = None) -> list[str]:
    """Return the ids of a replica's templates, in order, also where they are sorted as texts.

    Earlier plans had numbers without leading zeros: `width` 1.

    >>> template_ids("acme", 1), template_ids("acme", 2), template_ids("acme", 10)[8:]
    (['acme'], ['acme-1', 'acme-2'], ['acme-09', 'acme-10'])
    >>> template_ids("acme", 10, 1)[8:]
    ['acme-9', 'acme-10']
    """
    width = width or len(str(count))
    return [name] if count == 1 else [f"{name}-{number:0{width}}" for number in range(1, count + 1)]


def _same(host: Host) -> tuple[Match, ...]:
    return tuple(
        Match(
            level=Level.BANNER if service.is_banner else Level.SAME_VERSION,
            product=service.product,
            version=service.version,
            why=_why_same(service),
        )
        for service in host.services
    )


def _why_same(service: Service) -> str:
    if not service.is_banner:
        return "the image that it was"
    shown = "an open port, no banner" if service.product is None else "a banner"
    return f"the image that it was: {shown}"


def _planned(host_class: HostClass, matches: tuple[Match, ...], targets: int) -> PlannedClass:
    example: Host = host_class.example
    return PlannedClass(
        name=host_class.name,
        role=host_class.role,
        hosts=host_class.size,
        targets=targets,
        services=tuple(
            PlannedService(
                place=service.place,
                label=service.label,
                shown=service.shown,
                tls=service.tls is not None,
                product=service.product,
                match=match,
            )
            for service, match in zip(example.services, matches, strict=True)
        ),
        image=example.image,
    )


def estimate(classes: Iterable[PlannedClass]) -> Estimate:
    """Return what building the stand-ins of these classes takes, as far as they have targets."""
    parts: list[Match] = []
    built = 0
    for each in classes:
        standing = [service.match for service in each.services if service.match.level is not Level.NOTHING]
        # Hosts on which nothing stands share an image that is there already.
        if each.targets and each.image is None and standing:
            built += 1
            parts += standing
    seconds = SECONDS_OF_AN_IMAGE * built + sum(match.build_seconds for match in parts)
    return Estimate(
        images=built,
        seconds=round(seconds / AT_ONCE, 1),
        size_mb=sum(match.size_mb for match in parts),
    )
