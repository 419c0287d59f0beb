"""Makes a planned replica: builds its stand-ins, verifies them from inside, pins and installs them."""

from collections.abc import Mapping
from typing import Any

from dryrun_contract.text import printable
from dryrun_local.images.allowlist_rows import require_rows
from dryrun_local.images.progress import ImageScreen
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.replicas.building import build_stand_ins
from dryrun_local.replicas.installed import installed_as, require_free_name, require_free_templates
from dryrun_local.replicas.installing import install, note_deployment, require_fitting_card
from dryrun_local.replicas.needed_images import images_of, require_kept
from dryrun_local.replicas.planning import ImportOptions, Planned, plan_replica, show_plan
from dryrun_local.replicas.replacing import note_replaced, replaced, require_same_network
from dryrun_local.replicas.shared_root import BuiltRoot, ensure_shared_root, root_digest
from dryrun_local.replicas.verification import verify_new
from dryrun_local.terminal.screen import Screen
from dryrun_orchestrator.catalog.allowlist import STAND_IN
from dryrun_replica.planning.summary import sentence_on_versions
from dryrun_replica.planning.template import template_text


async def import_network(installation: Installation, options: ImportOptions, screen: Screen) -> None:
    """Plan, build, verify and install the replica that `options` describe.

    Nothing is installed before every fact of every new stand-in is true; one that is installed already is
    the same image, and is neither built nor verified again. Raises ImportRefusedError, ProgramError,
    UntrueError, ReplicaError, and AlreadyRunningError while another command builds images.
    """
    require_free_name(installation, options.name)
    planned = plan_replica(installation, options)
    require_free_templates(installation, options.name, (each.id for each in planned.plan.templates))
    require_same_network(installation, planned.plan, replace=options.replace)
    await show_plan(installation, planned, screen, as_json=False)
    screen.say("")
    with held(installation, IMAGES):
        root = BuiltRoot(root_digest(installation, planned.matcher.book), planned.matcher.versions)
        # Where every host stands on an image of the project, as after a rehearsal, nothing needs the root.
        if images_of(planned.plan, planned.inventory, planned.matcher, root).made:
            shown = ImageScreen(screen, what="Shared root")
            with shown.opened():
                root = await ensure_shared_root(installation, planned.matcher.book, shown.show)
        if root.versions != planned.matcher.versions:
            # Planned before it was known which versions exist here.
            planned = plan_replica(installation, options)
            screen.note(sentence_on_versions(planned.plan.coverage))
        await _make(installation, screen, planned, root, replace=options.replace)


async def _make(
    installation: Installation, screen: Screen, planned: Planned, root: BuiltRoot, *, replace: bool
) -> None:
    plan = planned.plan
    # Again, now that no other import can come between.
    require_free_templates(installation, plan.name, (each.id for each in plan.templates))
    require_same_network(installation, plan, replace=replace)
    before = replaced(installation, plan)
    needed = images_of(plan, planned.inventory, planned.matcher, root)
    card = {
        "plan": plan.model_dump(mode="json"),
        "images": dict(needed.of_host),
        "templates": [each.id for each in plan.templates],
    }
    require_fitting_card(card)
    known = require_rows(installation.allowlist)
    await require_kept(needed, known)
    shown = ImageScreen(screen, what="Stand-ins")
    with shown.opened():
        built = await build_stand_ins(installation, needed.made.values(), shown.show)
    rows: dict[str, Mapping[str, Any]] = {image: each.row for image, each in built.items()}
    await verify_new(installation, screen, rows, known)
    for image in needed.of_host.values():
        # A host of a report stands on the image that it stood on.
        if image.startswith(STAND_IN) and image not in rows and image in known:
            rows[image] = known[image]
    templates = {each.id: template_text(plan, each, needed.of_host) for each in plan.templates}
    install(installation, plan.name, templates=templates, rows=rows, card=card)
    screen.done(f"Replica {printable(plan.name)}", installed_as(tuple(templates)))
    if not plan.coverage.services:
        screen.warn(
            "No service of it is known: a rehearsal shows only whether hosts are found; "
            "for more, import a file that names open ports, with --replace"
        )
    note_replaced(screen, before)
    note_deployment(screen, installation)
