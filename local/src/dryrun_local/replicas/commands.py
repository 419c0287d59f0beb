"""The commands on installed replicas: list, show, remove, and the check of their ground truth."""

import json
import sys
from collections.abc import Sequence
from itertools import chain
from typing import Any

from rich.table import Table
from rich.text import Text

from dryrun_contract.text import counted, printable
from dryrun_local.images.allowlist_rows import require_rows
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.replicas.condition import Lack, lacks_of, require_files
from dryrun_local.replicas.installed import (
    Replica,
    ReplicaError,
    damage,
    damaged,
    find,
    installed,
    named,
    plan_of,
)
from dryrun_local.replicas.installing import note_deployment, remove
from dryrun_local.replicas.needed_images import pinned_images
from dryrun_local.replicas.plan_screen import PlanScreen
from dryrun_local.replicas.verification import verify_rows
from dryrun_local.terminal.screen import Screen
from dryrun_replica.planning.plan import WITHOUT_PASSWORDS


async def list_replicas(installation: Installation, screen: Screen, *, as_json: bool) -> None:
    """List the installed replicas, what they lack, and name those that are damaged."""
    found, unread = [], damaged(installation)
    for replica in installed(installation):
        try:
            found.append((replica, _listed(replica)))
        except ReplicaError:
            unread.append(replica.name)
    for name in sorted(unread):
        screen.warn(str(damage(name)))
    lacks = await _lacks(installation, screen, [replica for replica, _ in found])
    if as_json:
        rows = [row | {"lacks": list(map(str, lacks.get(replica.name, [])))} for replica, row in found]
        sys.stdout.write(json.dumps(rows, ensure_ascii=True) + "\n")
        return
    if not found and unread:
        return
    if not found:
        screen.say("No replica is installed; to make one:")
        screen.say("dryrun-local network import FILE --name NAME")
        return
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
    for lack in chain.from_iterable(lacks.values()):
        screen.warn(str(lack))


async def show_replica(installation: Installation, screen: Screen, name: str, *, as_json: bool) -> None:
    """Show what a replica was made from, when, its plan, and what it lacks."""
    replica = find(installation, name)
    lacks = (await _lacks(installation, screen, [replica])).get(name, [])
    if as_json:
        plan = plan_of(replica).model_dump(mode="json", exclude=WITHOUT_PASSWORDS)
        shown = {**replica.card, "plan": plan, "lacks": list(map(str, lacks))}
        sys.stdout.write(json.dumps(shown, ensure_ascii=True) + "\n")
        return
    PlanScreen(screen, plan_of(replica), is_installed=True).show()
    screen.say("")
    screen.say(f"Installed {replica.installed_at:%Y-%m-%d %H:%M} UTC as {named(replica.templates)}", "bold")
    for lack in lacks:
        screen.warn(str(lack))


async def remove_replica(installation: Installation, screen: Screen, name: str) -> None:
    """Uninstall a replica: template, rows of the allowlist, card. Images stay."""
    with held(installation, IMAGES):
        images = remove(installation, name)
    screen.done(f"Replica {printable(name)}", "removed")
    note_deployment(screen, installation)
    if images:
        screen.note(
            f"{counted(len(images), 'image')} left in the engine; to free the space, if no other checkout "
            f"uses them: docker image rm {' '.join(images)}"
        )


async def verify_replica(installation: Installation, screen: Screen, name: str) -> None:
    """Check from inside that every fact of a replica's stand-ins is true.

    Raises UntrueError, AlreadyRunningError while another command builds or verifies images, ReplicaError if
    the allowlist lacks an image that it stands on, and ProgramError if the engine does.
    """
    with held(installation, IMAGES):
        await _verify(installation, screen, find(installation, name))


async def _verify(installation: Installation, screen: Screen, replica: Replica) -> None:
    known = require_rows(installation.allowlist)
    require_files(installation, replica)
    if not replica.images:
        screen.note(
            f"{printable(replica.name)} has no stand-in of its own: its hosts stand on images of the "
            "project, whose ground truth the project's tests verify"
        )
        return
    rows = {image: known[image] for image in replica.images}
    await pinned_images(rows)
    name = printable(replica.name)
    stays = f"{name} stays installed; import the network again, or `dryrun-local network remove {name}`"
    await verify_rows(installation, screen, rows, otherwise=stays)


async def _lacks(
    installation: Installation, screen: Screen, replicas: Sequence[Replica]
) -> dict[str, list[Lack]]:
    """Return what replicas lack, by name; say so where the engine does not answer."""
    lacks, answered = await lacks_of(installation, replicas)
    if not answered:
        screen.note(
            "The engine does not answer: whether it has the images is not known; see: dryrun-local doctor"
        )
    return lacks


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
