"""Stand-ins for tests: composed, built on this machine's engine and described by their allowlist's row."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from target_container import REPOSITORY

from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.building import build_stand_ins
from dryrun_local.replicas.shared_root import ensure_shared_root
from dryrun_replica.building.composition import compose
from dryrun_replica.building.folder import StandIn, stand_in
from dryrun_replica.inventory.model import Host
from dryrun_replica.recipes.banners import load_banners
from dryrun_replica.recipes.loading import load_recipes
from dryrun_replica.recipes.matching import Matcher

RECIPES = REPOSITORY / "images" / "recipes"
BOOK = load_recipes(RECIPES)


def made(installation: Installation, hosts: Iterable[Host]) -> list[Mapping[str, Any]]:
    """Build the stand-in of each host; return their rows of the allowlist, in order."""

    async def build() -> list[Mapping[str, Any]]:
        root = await ensure_shared_root(installation, BOOK, lambda _: None)
        banners = load_banners()
        matcher = Matcher(BOOK, root.versions, banners)
        stand_ins: list[StandIn] = [
            stand_in(compose(host, matcher.match_host(host), BOOK, root.versions, banners), root.digest)
            for host in hosts
        ]
        built = await build_stand_ins(installation, stand_ins, lambda _: None)
        return [built[each.image].row for each in stand_ins]

    return asyncio.run(build())
