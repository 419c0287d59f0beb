"""Page: what may be started, drawn."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import Reader
from approval_api.criteria.service import names as criteria_names
from approval_api.orchestrator.client import OrchestratorClient
from approval_api.pages.rendering import page
from approval_api.pages.templates.coverage import CoveragePart, draw_coverage
from approval_api.pages.topology import Topology, draw
from approval_api.sessions.history import TypicalDuration, typical_durations
from dryrun_contract.template import StandsFor, TemplateSummary

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Card:
    """One template with what is drawn of it."""

    template: TemplateSummary
    topology: Topology
    typical: TypicalDuration | None
    coverage: tuple[CoveragePart, ...]
    """How well it covers the real network that it stands for."""


@dataclass(frozen=True, slots=True)
class Network:
    """The templates that one real network was cut into."""

    name: str
    stands_for: StandsFor
    cards: tuple[Card, ...]
    """By number."""

    @property
    def machines(self) -> int:
        """Machines of all its templates."""
        return sum(len(card.template.services) for card in self.cards)


_PART = re.compile(r"(?P<name>.+)-[0-9]+")
_TITLE_OF_PART = re.compile(r"Replica (?P<name>.+), part [0-9]+ of (?P<parts>[0-9]+)")


def in_networks(cards: Iterable[Card]) -> list[Card | Network]:
    """Return the cards, those of one network together in the place of its first one.

    An import calls parts `NAME-1`, `NAME-2`, …, as their titles say, and their censuses speak of one network.
    Two networks that are called so, with equal counts, have other titles.
    """
    entries: dict[object, list[Card]] = {}
    key: object
    for card in cards:
        part, title = _PART.fullmatch(card.template.id), _TITLE_OF_PART.fullmatch(card.template.title)
        census = None if card.template.stands_for is None else card.template.stands_for.census
        if part and title and census and part["name"] == title["name"]:
            key = title["name"], title["parts"], census.network
        else:
            key = card.template.id
        entries.setdefault(key, []).append(card)
    return [_together(own) if len(own) > 1 else own[0] for own in entries.values()]


def _together(cards: Iterable[Card]) -> Network:
    in_order = tuple(sorted(cards, key=lambda card: int(card.template.id.rpartition("-")[2])))
    first = in_order[0].template
    known = first.stands_for
    assert known is not None
    return Network(first.id.rpartition("-")[0], known, in_order)


@router.get("/dryrun/templates")
async def show_templates(request: Request, visitor: Reader) -> Response:
    """Show every template as a card."""
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    templates = await orchestrator.templates()
    async with request.app.state.engine.connect() as connection:
        typical = await typical_durations(connection)
        criteria = await criteria_names(connection)
    cards = [
        Card(
            template,
            draw(template.services),
            typical.get((template.id, template.digest)),
            draw_coverage(template.stands_for.levels) if template.stands_for else (),
        )
        for template in sorted(templates, key=lambda template: len(template.services))
    ]
    return page(request, "templates/templates.html", visitor, entries=in_networks(cards), criteria=criteria)
