"""Draws destinations and deliveries: what would be done, what was, and what destinations answered."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from dryrun_cli.api.session_ids import short
from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.moments import dated, minute, when
from dryrun_cli.drawing.safe_text import folded, inert
from dryrun_contract.delivery import DeliveryItem, DeliveryView, DestinationCheck, DestinationView

_STYLES = {
    "planned": "yellow",
    "checking": "cyan",
    "sending": "cyan",
    "waiting": "cyan",
    "stuck": "red",
    "dead": "red",
    "done": "green",
    "delivered": "green",
}


_MOST_OF_AN_ANSWER = 600
"""Long enough for the end of an answer, which says what to do next."""


def draw_destinations(destinations: Iterable[DestinationView]) -> RenderableType:
    """Return one row per destination."""
    checked = dated("CHECKED")
    table = listing(
        *("NAME", "KIND", "ADDRESS", "KINDS", "CREDENTIAL", checked, "ADDED BY"),
        give_way={"ADDRESS", "KINDS", checked, "ADDED BY"},
    )
    failed: list[Text] = []
    for each in destinations:
        request = each.request
        table.add_row(
            Text(request.name, style="cyan"),
            request.kind,
            folded(request.url or "-", 60),
            folded(", ".join(request.kinds) or "all", 40),
            request.credential or "-",
            _check_of(each.check),
            folded(each.created_by, 20),
        )
        if each.check is not None and each.check.passed is False:
            answer = inert(each.check.answer or "", _MOST_OF_AN_ANSWER)
            failed.append(Text(f"{request.name}: the check failed: {answer}", style="red"))
    if not table.row_count:
        return Text("No destinations yet. To add one: dryrun destination add NAME --kind csv")
    return Group(table, *failed)


def _check_of(check: DestinationCheck | None) -> Text:
    """Return whether and when a destination was found to know its credential; files have none."""
    if check is None:
        return Text("-")
    if check.answered_at is None:
        return Text("not yet", style="yellow")
    passed = check.passed is True
    word, style = ("passed", "green") if passed else ("failed", "red")
    return Text.assemble((word, style), " ", minute(check.answered_at))


def draw_deliveries(deliveries: Iterable[DeliveryView]) -> RenderableType:
    """Return one row per delivery."""
    previewed = dated("PREVIEWED")
    figures = ("CREATE", "CHANGE", "REMOVE", "LEAVE", "DELIVERED", "GIVEN UP")
    table = listing(
        *("ID", previewed, "TO", "STATE", *figures),
        give_way={previewed, "TO", "GIVEN UP"},
        numbers=figures,
    )
    for each in deliveries:
        counts = each.counts
        table.add_row(
            Text(short(each.id), style="cyan"),
            minute(each.requested_at),
            each.destination,
            _state(each.state),
            *(
                f"{n:,}"
                for n in (
                    counts.create,
                    counts.change,
                    counts.remove,
                    counts.leave,
                    counts.delivered,
                    counts.dead,
                )
            ),
        )
    if not table.row_count:
        return Text("No deliveries yet. To make one: dryrun delivery preview DESTINATION")
    return table


def draw_delivery(delivery: DeliveryView, items: Iterable[DeliveryItem], more: bool) -> RenderableType:
    """Return a delivery with its first items."""
    counts = delivery.counts
    head = Text(f"To {delivery.destination}  ", style="bold").append_text(_state(delivery.state))
    approved = "" if delivery.approved_by is None else f", approved by {inert(delivery.approved_by, 40)}"
    if delivery.place is not None:
        head.append_text(Text(f"  {inert(delivery.place, 300)}", style="dim"))
    parts: list[RenderableType] = [
        head,
        Text(f"{delivery.id}, previewed by {inert(delivery.requested_by, 40)}{approved}", style="dim"),
        Text(
            f"{counts.create:,} to create, {counts.change:,} to change, {counts.remove:,} to remove, "
            f"{counts.leave:,} left alone, {delivery.unchanged:,} unchanged; "
            f"{counts.delivered:,} delivered, {counts.dead:,} given up"
        ),
    ]
    if delivery.rests_until is not None:
        why = "The destination did not answer, or asked to be left alone"
        parts.append(Text(f"{why}: it is tried again at {when(delivery.rests_until)}.", style="yellow"))
    if delivery.more:
        parts.append(Text("There is more: preview another delivery when this one is done.", style="yellow"))
    table = listing("ACTION", "STATE", "KIND", "KEY", "ANSWER", give_way={"KEY", "ANSWER"})
    for each in items:
        table.add_row(
            each.action,
            _state(each.state),
            each.kind,
            folded(each.key, 60),
            folded(each.answer or "-", _MOST_OF_AN_ANSWER),
        )
    if table.row_count:
        parts += [Text(""), table]
    if more:
        parts.append(Text("…", style="dim"))
    return Group(*parts)


def _state(state: str) -> Text:
    return Text("given up" if state == "dead" else state, style=_STYLES.get(state, "dim"))
