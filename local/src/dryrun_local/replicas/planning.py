"""Plans a replica: reads the inventory, matches it with the recipes, shows the plan; builds nothing."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dryrun_contract.network import AnyNetwork
from dryrun_contract.text import printable
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.installed import require_free_name, require_free_templates
from dryrun_local.replicas.needed_images import to_build
from dryrun_local.replicas.plan_screen import PlanScreen
from dryrun_local.replicas.rehearsed import with_credentials
from dryrun_local.replicas.replacing import replaced, require_same_network
from dryrun_local.replicas.shared_root import RECIPES, is_built, known_versions
from dryrun_local.terminal.interruption import interruptible
from dryrun_local.terminal.screen import Screen
from dryrun_orchestrator.catalog.allowlist import AllowlistError, load_allowlist
from dryrun_replica.inventory import words
from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.inventory.model import Inventory, Note
from dryrun_replica.inventory.public_names import KNOWN_EVERYWHERE, PublicNames
from dryrun_replica.inventory.reading import FORMATS, load_files, read_inventory
from dryrun_replica.inventory.well_known import is_software
from dryrun_replica.planning.plan import WITHOUT_PASSWORDS, Plan, ReplicaName, keep_images, make_plan
from dryrun_replica.recipes.banners import MAX_BANNERS, BannerTable, load_banners
from dryrun_replica.recipes.greetings import MAX_GREETINGS, GreetingTable
from dryrun_replica.recipes.loading import RecipeError, load_recipes
from dryrun_replica.recipes.matching import Matcher
from dryrun_replica.recipes.probes import PLACES, TableNames, read_names

_NAME: TypeAdapter[str] = TypeAdapter(ReplicaName)


class ImportRefusedError(LocalError):
    """What was given cannot be planned; the message lists every fault."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What an operator says about a replica."""

    files: tuple[Path, ...]
    name: str
    file_format: str | None = None
    seed: int = 0
    all_hosts: bool = False
    keep_names: bool = False
    replace: bool = False
    """Whether another network of this name is replaced."""
    exclude: tuple[AnyNetwork, ...] = ()
    """What collectors will not scan: hosts there are left out."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from, which builders need and nobody writes down."""

    plan: Plan
    inventory: Inventory
    matcher: Matcher


def plan_replica(installation: Installation, options: ImportOptions) -> Planned:
    """Return the plan of the replica that `options` describe. Raises ImportRefusedError.

    A signal ends it at once, with SignalledError.
    """
    with interruptible():
        return _planned(installation, options)


def _planned(installation: Installation, options: ImportOptions) -> Planned:
    try:
        name = _NAME.validate_python(options.name)
    except ValidationError:
        raise ImportRefusedError(
            f"{printable(options.name)!r} is not a name of a replica: lower-case letters, digits and single "
            "hyphens, the first a letter, at most 30"
        ) from None
    if options.file_format is not None and options.file_format not in FORMATS:
        raise ImportRefusedError(
            f"there is no format {printable(options.file_format)!r}; known are {', '.join(FORMATS)}"
        )
    matcher = make_matcher(installation)
    banners = matcher.banners if isinstance(matcher.banners, BannerTable) else None
    greetings = GreetingTable(banners.patterns if banners is not None else ())
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        inventory = read_inventory(
            load_files(options.files),
            now,
            file_format=options.file_format,
            keep_names=options.keep_names,
            known=names_known_to(matcher),
            named_by=greetings.name,
            exclude=options.exclude,
        )
    except InventoryError as error:
        raise ImportRefusedError(str(error)) from error
    inventory = keep_images(inventory, installed_targets(installation))
    plan = make_plan(name, inventory, matcher.match_host, now, seed=options.seed, all_hosts=options.all_hosts)
    if inventory.rehearsed:
        plan = with_credentials(installation, inventory, plan)
    bounded = {
        f"products, by version, beyond {MAX_BANNERS} for which banners are tried": banners
        and banners.not_tried,
        f"banners beyond {MAX_GREETINGS:,} different ones, which are not read": greetings.not_read,
    }
    notes = tuple(Note(what=what, count=count) for what, count in bounded.items() if count)
    plan = plan.model_copy(update={"notes": (*plan.notes, *notes)})
    return Planned(plan, inventory, matcher)


def installed_targets(installation: Installation) -> dict[str, str]:
    """Return the ids of targets' images by name: a host of a report stands on none of a collector."""
    try:
        images = load_allowlist(installation.allowlist).images
    except AllowlistError:
        # Whoever builds says what is wrong with it; a plan needs none.
        return {}
    return {name: image.id for name, image in images.items() if image.role == "target"}


def make_matcher(installation: Installation) -> Matcher:
    """Return what matches services with the recipes of this checkout and the versions that exist here."""
    try:
        book = load_recipes(installation.root / RECIPES)
    except RecipeError as error:
        raise ImportRefusedError(str(error)) from error
    return Matcher(book, known_versions(installation), load_banners(PLACES))


def names_known_to(matcher: Matcher, places: Iterable[Path] = PLACES) -> PublicNames:
    """Return what says which names everybody may use: those of the recipes and of this machine's nmap."""
    table = next((read_names(path) for path in places if path.is_file()), TableNames())
    products = {words.product(name) for name in table.products}
    services = table.services | {recipe.protocol for recipe in matcher.book}

    def knows_software(product: str) -> bool:
        return product.casefold() in products or is_software(product) or matcher.knows(product)

    def knows_protocol(name: str) -> bool:
        return name in services or KNOWN_EVERYWHERE.is_protocol(name)

    titles = frozenset(title for recipe in matcher.book for title in recipe.names.titles)
    return PublicNames(knows_software, knows_protocol, titles, matcher.are_alike)


async def plan_only(
    installation: Installation, options: ImportOptions, screen: Screen, *, as_json: bool
) -> None:
    """Show the plan and build nothing. Refuses what an import would for its name."""
    require_free_name(installation, options.name)
    planned = plan_replica(installation, options)
    require_free_templates(installation, options.name, (each.id for each in planned.plan.templates))
    require_same_network(installation, planned.plan, replace=options.replace)
    await show_plan(installation, planned, screen, as_json=as_json)
    if (before := replaced(installation, planned.plan)) is not None:
        screen.note(f"It would replace {before}")


async def show_plan(installation: Installation, planned: Planned, screen: Screen, *, as_json: bool) -> None:
    """Print a plan for people, or as JSON on standard output."""
    if as_json:
        shown = planned.plan.model_dump_json(ensure_ascii=True, exclude=WITHOUT_PASSWORDS)
        sys.stdout.write(f"{shown}\n")
    else:
        root_is_built = await is_built(installation, planned.matcher.book)
        known = None
        if root_is_built and planned.matcher.versions:
            known = await to_build(installation, planned.plan, planned.inventory, planned.matcher)
        PlanScreen(screen, planned.plan, root_is_built=root_is_built, to_build=known).show()
        if root_is_built is None:
            screen.note(
                "The engine does not answer, so the plan does not say what is there already; see: "
                "dryrun-local doctor"
            )
    for sentence in (*planned.inventory.unread, *planned.inventory.contradicting):
        screen.note(sentence)
