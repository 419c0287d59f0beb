"""Templates that one real network was cut into."""

from datetime import date
from typing import Any

from fake_orchestrator import SMALL

from dryrun_contract.census import Census
from dryrun_contract.template import Levels, StandsFor, Template


def parts(count: int, network: int = 1, **changes: Any) -> dict[str, Template]:
    """Return the parts of a network by id; `changes` are to what they stand for."""
    known = StandsFor(
        made_from="a table",
        made_on=date(2026, 11, 26),
        hosts=40,
        levels=Levels(same_version=60, same_product=11, relative=9, banner=6, nothing=4),
        census=Census(network=f"n{network:016x}", classes=()),
    ).model_copy(update=changes)
    return {
        f"acme-{number:02}": SMALL.model_copy(
            update={
                "id": f"acme-{number:02}",
                "title": f"Replica acme, part {number} of {count}",
                "stands_for": known.model_copy(update={"weights": {f"web-{number}": 1.0}}),
            }
        )
        for number in range(1, count + 1)
    }
