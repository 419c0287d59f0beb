"""The image commands: build what changed, list what exists."""

import json
import sys
import time
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dryrun_cli.commands.experiments import read_request
from dryrun_contract.text import byte_count, counted, printable
from dryrun_local.images.building import based_on, build_images, list_images
from dryrun_local.images.distribution import distribute
from dryrun_local.images.exchange import export_images, import_images
from dryrun_local.images.folders import load_folders
from dryrun_local.images.needed import for_experiment, images_of
from dryrun_local.images.programs import ProgramError
from dryrun_local.images.progress import ImageScreen
from dryrun_local.images.service_images import build_service_images
from dryrun_local.machine.added_folders import added_by_running, gather
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.terminal.long_work import LongWork
from dryrun_local.terminal.screen import Screen

_WIDE = 110
"""Columns of a terminal that has room for summaries."""
_STYLES = {"current": "green", "outdated": "yellow", "missing": "bold red"}


async def prepare(
    installation: Installation,
    screen: Screen,
    *,
    only: Collection[str] | None = None,
    force: bool = False,
) -> None:
    """Build what changed, with a line for each image, and write the allowlist.

    With `only`, the images of these names and what they are based on.
    """
    shown = ImageScreen(screen)
    with held(installation, IMAGES), shown.opened():
        await build_images(
            installation.root,
            installation.allowlist,
            added=installation.added,
            only=only,
            force=force,
            on_event=shown.show,
        )
    gather(installation)


async def build(installation: Installation, screen: Screen, *, force: bool) -> None:
    """Build what changed, also while services run; they read the allowlist again."""
    running = added_by_running(installation)
    if running - set(installation.added):
        # Their images would lose their rows.
        screen.note("Also the folders of the services that run:", ", ".join(map(str, sorted(running))))
    everything = dict.fromkeys((*installation.added, *sorted(running)))
    await prepare(replace(installation, added=tuple(everything)), screen, force=force)


async def build_services(installation: Installation, screen: Screen) -> None:
    """Build the services' own images."""
    shown = ImageScreen(screen)
    with shown.opened():
        await build_service_images(installation.root, installation.logs, on_event=shown.show)


async def export(installation: Installation, screen: Screen, path: Path, experiment: Path | None) -> None:
    """Write images to a file: those that an experiment needs, with what they are based on, or all."""
    chosen = folders = load_folders(installation.root, added=installation.added)
    if experiment is not None:
        request = read_request(experiment)
        needed = images_of(for_experiment(installation, request), request.templates, request.seeds)
        chosen = based_on(folders, needed)
    with screen.busy(f"The engine writes {counted(len(chosen), 'image')}"):
        done = await export_images(path, chosen, installation.root, installation.allowlist)
    screen.done(f"{path} has {counted(len(done.taken), 'image')}", _megabytes(done.size))


async def take(installation: Installation, screen: Screen, path: Path) -> None:
    """Load the images of a file that this machine lacks, and pin them."""
    folders = load_folders(installation.root, added=installation.added)
    begun = time.monotonic()
    installation.prepare()
    with held(installation, IMAGES), screen.busy(f"Loading images from {path}") as work:

        def say(text: str) -> None:
            work.now = text

        done = await import_images(path, folders, installation.root, installation.allowlist, say)
    gather(installation)
    details = [_megabytes(done.size), f"{time.monotonic() - begun:.0f} s"] if done.taken else []
    details += [f"{len(done.here)} here before"] if done.here else []
    screen.done(f"Loaded {counted(len(done.taken), 'image')}", ", ".join(details))
    if done.outdated:
        screen.warn(
            f"left out of {path}, because their folders have changed since:",
            ", ".join(printable(image) for image in sorted(done.outdated)),
        )


async def spread(installation: Installation, screen: Screen, hosts: Collection[str]) -> int:
    """Copy images to other hosts' engines, one after the other; return 1 when one did not get them, else 0.

    One that does not answer keeps the images from none of the others.
    """
    installation.prepare()
    failed = []
    for host in hosts:
        try:
            with screen.busy(f"Comparing images with {printable(host)}") as work:

                def copying(images: int, size: int, work: LongWork = work, host: str = host) -> None:
                    work.what = f"Copying {counted(images, 'image')} to {printable(host)}"
                    work.now = byte_count(size)

                done = await distribute(
                    host, installation.allowlist, installation.logs / "distribute.log", copying
                )
        except ProgramError as error:
            failed.append(printable(host))
            screen.warn(str(error))
        else:
            screen.done(
                f"{printable(host)}: copied {counted(len(done.copied), 'image')}", f"{done.here} there before"
            )
    if failed:
        screen.warn("Without all images:", f"{', '.join(failed)}; run the command again for these")
    return 1 if failed else 0


async def show(installation: Installation, screen: Screen, *, as_json: bool) -> int:
    """List every image folder. Returns 0 when all are current, else 1."""
    listings = await list_images(installation.root, installation.added)
    if as_json:
        sys.stdout.write(json.dumps([asdict(listing) for listing in listings], ensure_ascii=True) + "\n")
    else:
        described = screen.console.width >= _WIDE
        table = Table(box=None, pad_edge=False, header_style="dim", expand=described)
        table.add_column("IMAGE", no_wrap=True, min_width=max(len(listing.image) for listing in listings))
        table.add_column("STATE", no_wrap=True, min_width=8)
        table.add_column("SIZE", no_wrap=True, min_width=6, justify="right")
        table.add_column("OWN", no_wrap=True, min_width=6, justify="right")
        if described:
            table.add_column("SUMMARY", no_wrap=True, overflow="ellipsis", ratio=1)
        for listing in sorted(listings, key=lambda listing: (listing.allowlisted, listing.image)):
            table.add_row(
                Text(printable(listing.image)),
                Text(listing.state, _STYLES[listing.state]),
                Text(_megabytes(listing.size)),
                Text(_megabytes(listing.own_size)),
                *([Text(printable(listing.summary))] if described else []),
            )
        screen.console.print(table)
        together = _megabytes(sum(listing.own_size or 0 for listing in listings))
        screen.say(
            f"{counted(len(listings), 'image')}, {together} in total: a parent's layers are stored once",
            "dim",
        )
        if any(listing.state != "current" for listing in listings):
            screen.say("To build what changed: dryrun-local images build", "dim")
    return 0 if all(listing.state == "current" for listing in listings) else 1


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.0f} MB"
