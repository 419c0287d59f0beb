"""The commands on installed replicas: list, show, remove, and the check of their ground truth."""

import json
import sys
from typing import Any

from rich.table import Table
from rich.text import Text

from dryrun_contract.text import counted, printable
from dryrun_local.images.allowlist_rows import require_rows
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.replicas.installed import (
    FOR_A_DEPLOYMENT,
    Replica,
    ReplicaError,
    damage,
    damaged,
    find,
    installed,
    named,
    plan_of,
    remove,
)
from dryrun_local.replicas.needed_images import pinned_images
from dryrun_local.replicas.plan_screen import PlanScreen
from dryrun_local.replicas.verification import verify_rows
from dryrun_local.terminal.screen import Screen
from dryrun_replica.planning.plan import WITHOUT_PASSWORDS


async def list_replicas(installation: Installation, screen: Screen, *, as_json: bool) -> int:
    """List the installed replicas, and name those that are damaged. Returns 0."""
    found, unread = [], damaged(installation)
    for replica in installed(installation):
        try:
            found.append((replica, _listed(replica)))
        except ReplicaError:
            unread.append(replica.name)
    for name in sorted(unread):
        screen.warn(str(damage(name)))
    if as_json:
        sys.stdout.write(json.dumps([row for _, row in found], ensure_ascii=True) + "\n")
        return 0
    if not found and unread:
        return 0
    if not found:
        screen.say("No replica is installed; to make one:")
        screen.say("dryrun-local network import FILE --name NAME")
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("NAME", no_wrap=True)
    table.add_column("HOSTS", justify="right")
    table.add_column("TARGETS", justify="right")
    table.add_column("REAL SOFTWARE", justify="right")
    table.add_column("TEMPLATES")
    table.add_column("INSTALLED", no_wrap=True)
    for replica, row in found:
        table.add_row(
            Text(printable(replica.name)),
            str(row["hosts"]),
            str(row["targets"]),
            f"{row['real']} of {row['services']}",
            Text(named(row["templates"])),
            f"{replica.installed_at:%Y-%m-%d %H:%M}",
        )
    screen.console.print(table)
    return 0


async def show_replica(installation: Installation, screen: Screen, name: str, *, as_json: bool) -> int:
    """Show what a replica was made from, when, and its plan. Returns 0."""
    replica = find(installation, name)
    if as_json:
        plan = plan_of(replica).model_dump(mode="json", exclude=WITHOUT_PASSWORDS)
        sys.stdout.write(json.dumps({**replica.card, "plan": plan}, ensure_ascii=True) + "\n")
        return 0
    PlanScreen(screen, plan_of(replica), is_installed=True).show()
    screen.say("")
    screen.say(f"Installed {replica.installed_at:%Y-%m-%d %H:%M} UTC as {named(replica.templates)}", "bold")
    return 0


async def remove_replica(installation: Installation, screen: Screen, name: str) -> int:
    """Uninstall a replica: template, rows of the allowlist, card. Images stay. Returns 0."""
    with held(installation, IMAGES):
        images = remove(installation, name)
    screen.done(f"Replica {printable(name)}", "removed")
    screen.note(FOR_A_DEPLOYMENT)
    if images:
        screen.note(
            f"{counted(len(images), 'image')} left in the engine; to free the space, if no other checkout "
            "uses them: docker image rm",
            " ".join(images),
        )
    return 0


async def verify_replica(installation: Installation, screen: Screen, name: str) -> int:
    """Check from inside that every fact of a replica's stand-ins is true.

    Returns 0. Raises UntrueError, ReplicaError if the allowlist lacks an image that it stands on, and
    ProgramError if the engine does.
    AlreadyRunningError while another command builds or verifies images.
    """
    with held(installation, IMAGES):
        return await _verify(installation, screen, find(installation, name))


async def _verify(installation: Installation, screen: Screen, replica: Replica) -> int:
    known = require_rows(installation.allowlist)
    missing = sorted(_images_of(replica) - known.keys())
    if missing:
        raise ReplicaError(
            f"the allowlist has no row of {counted(len(missing), 'image')} of {printable(replica.name)}: "
            f"{printable(', '.join(missing))}; import the network again"
        )
    if not replica.images:
        screen.note(
            f"{printable(replica.name)} has no stand-in of its own: its hosts stand on images of the "
            "project, whose ground truth the project's tests verify"
        )
        return 0
    rows = {image: known[image] for image in replica.images}
    await pinned_images(rows)
    await verify_rows(installation, screen, rows)
    return 0


def _images_of(replica: Replica) -> set[str]:
    of_host = replica.card.get("images")
    named = map(str, of_host.values()) if isinstance(of_host, dict) else ()
    return {*replica.images, *named}


def _listed(replica: Replica) -> dict[str, Any]:
    plan = plan_of(replica)
    return {
        "name": replica.name,
        "hosts": plan.hosts,
        "targets": plan.targets,
        "services": plan.coverage.services,
        "real": plan.coverage.real,
        "templates": list(replica.card["templates"]),
        "images": list(replica.images),
        "installed_at": replica.installed_at.isoformat(),
    }
