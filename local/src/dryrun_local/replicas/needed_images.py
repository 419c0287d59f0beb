"""Which images a plan needs: those of stand-ins, named by their content, and how many the engine has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dryrun_local.images.folder_build import BuiltImage, inspect_images
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.shared_root import ANSWER_SECONDS, BuiltRoot, root_digest
from dryrun_orchestrator.catalog.allowlist import who_builds
from dryrun_replica.building.composition import compose
from dryrun_replica.building.folder import StandIn, stand_in
from dryrun_replica.inventory.model import Inventory
from dryrun_replica.planning.plan import Estimate, Plan, estimate
from dryrun_replica.recipes.banners import BannerTable
from dryrun_replica.recipes.matching import Matcher

NOTHING_ANSWERS = "discovery/test-quiet:1.0"
"""The image of a host that answers nowhere."""


@dataclass(frozen=True, slots=True)
class Needed:
    """The images of a plan: those to make, and the name of each host's."""

    made: Mapping[str, StandIn]
    """By image."""
    of_host: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ToBuild:
    """The images of a plan that the engine lacks."""

    images: int
    """All that the plan needs."""
    missing: Estimate


async def to_build(
    installation: Installation, plan: Plan, inventory: Inventory, matcher: Matcher
) -> ToBuild | None:
    """Return what is to be built on the shared root that the engine has; None where it does not answer."""
    root = BuiltRoot(root_digest(installation, matcher.book), matcher.versions)
    needed = images_of(plan, inventory, matcher, root)
    try:
        there = await inspect_images(needed.made, seconds=ANSWER_SECONDS) if needed.made else {}
    except ProgramError:
        return None
    missing = {image for image, each in needed.made.items() if is_missing(each, there.get(image))}
    hosts = {name for name, image in needed.of_host.items() if image in missing}
    chosen = [each for template in plan.templates for each in template.sample.chosen]
    incomplete = {each.host_class for each in chosen if not hosts.isdisjoint(each.hosts)}
    known = estimate([each for each in plan.classes if each.name in incomplete])
    return ToBuild(len(needed.made), known.model_copy(update={"images": len(missing)}))


def is_missing(image: StandIn, known: BuiltImage | None) -> bool:
    """Return whether the engine lacks a stand-in, or has another of its name."""
    return known is None or known.digest != image.digest


async def require_kept(needed: Needed, rows: Mapping[str, Any]) -> None:
    """Raise ProgramError unless the engine has what `rows` pin for each host for which nothing is made."""
    kept = set(needed.of_host.values()) - needed.made.keys()
    await pinned_images({image: rows.get(image, {}) for image in kept})


async def pinned_images(rows: Mapping[str, Any]) -> dict[str, BuiltImage]:
    """Return the images of these rows. Raises ProgramError unless the engine has each as pinned."""
    there = await inspect_images(rows) if rows else {}
    if missing := not_as_pinned(rows, there):
        builders = "; ".join(dict.fromkeys(map(who_builds, missing)))
        raise ProgramError(f"the engine has no {', '.join(missing)} with the pinned id; {builders}")
    return there


def not_as_pinned(rows: Mapping[str, Any], there: Mapping[str, BuiltImage]) -> list[str]:
    """Return the images of these rows that are not `there`, or with another id, in order."""
    return sorted(
        image for image, row in rows.items() if image not in there or there[image].id != row.get("id")
    )


def images_of(plan: Plan, inventory: Inventory, matcher: Matcher, root: BuiltRoot) -> Needed:
    """Return the images of a plan on this shared root."""
    banners = matcher.banners
    table = banners if isinstance(banners, BannerTable) else None
    hosts = {host.name: host for host in inventory.hosts}
    classes = {each.name: each for each in plan.classes}
    made: dict[str, StandIn] = {}
    of_host: dict[str, str] = {}
    for template in plan.templates:
        for chosen in template.sample.chosen:
            matches = tuple(service.match for service in classes[chosen.host_class].services)
            for name in chosen.hosts:
                if hosts[name].image is not None:
                    of_host[name] = str(hosts[name].image)
                    continue
                # It calls itself by its class, so that hosts that differ in nothing else share an image.
                host = hosts[name].model_copy(update={"name": chosen.host_class})
                composition = compose(host, matches, matcher.book, root.versions, table)
                if composition.is_empty:
                    of_host[name] = NOTHING_ANSWERS
                    continue
                image = stand_in(composition, root.digest)
                made[image.image] = image
                of_host[name] = image.image
    return Needed(made, of_host)
