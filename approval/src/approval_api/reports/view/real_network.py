"""The real network that a template stands for: how well it is covered, and what to expect of it."""

from collections.abc import Callable, Sequence

from approval_api.reports.view.blocks import (
    MAX_BARS,
    Bar,
    Bars,
    Block,
    Listing,
    Paragraph,
    Quoted,
    Section,
    Segment,
    Table,
    Text,
    Tone,
    figure,
    table,
    text,
)
from approval_api.reports.view.wording import seconds, size, times
from dryrun_contract.network_forecast import (
    INTERVAL_SHARE,
    QUANTITIES,
    Expected,
    Group,
    NetworkForecast,
    Quantity,
    QuantityForecast,
)
from dryrun_contract.report import Report
from dryrun_contract.template import Levels, StandsFor
from dryrun_contract.text import about

LEVEL_WORDS: tuple[tuple[str, Tone, str], ...] = (
    ("same_version", "good", "same product and version"),
    ("same_product", "", "same product, another version"),
    ("relative", "warn", "a relative: another product of the protocol"),
    ("banner", "quiet", "a banner or an open port, no software"),
    ("nothing", "bad", "nothing"),
)
_FOUND_LEGEND: tuple[tuple[Tone, str], ...] = (
    ("good", "expected found"),
    ("bad", "expected missed"),
    ("gap", "unknown: nothing stands for them"),
)


def coverage(report: Report) -> Section | None:
    """Return how well the template covers the network that it stands for; None if it stands for none."""
    known = report.template.stands_for
    if known is None:
        return None
    return Section(
        "coverage", "The network that this stands for", (_origin(known), coverage_bars(known.levels))
    )


def _origin(known: StandsFor) -> Paragraph:
    return Paragraph(
        text(
            f"{times(known.hosts, 'host')}, made from ",
            Quoted(known.made_from, prose=True),
            f" on {known.made_on}. {known.levels.sentence}.",
        )
    )


def coverage_bars(levels: Levels) -> Bars:
    """Return the picture of coverage: one bar in the parts of the levels, and one for each level."""
    counts = levels.model_dump()
    whole = Bar(
        text("all services"),
        tuple(Segment(counts[name], tone, word) for name, tone, word in LEVEL_WORDS),
        f"{levels.services:,}",
    )
    of_all = max(levels.services, 1)
    each = tuple(
        Bar(
            text(word),
            (
                Segment(counts[name], tone, word),
                Segment(of_all - counts[name], "gap", "others"),
            ),
            f"{counts[name]:,} ({100 * counts[name] / of_all:.0f} %)",
        )
        for name, tone, word in LEVEL_WORDS
    )
    legend = tuple((tone, word) for _, tone, word in LEVEL_WORDS)
    return Bars("Services by what stands for them", (whole, *each), legend, shares=True, in_table=False)


def expectation(report: Report) -> Section | None:
    """Return what to expect of a production run; None where no forecast was made."""
    known = report.network_forecast
    if known is None:
        return None
    return Section("expected", "What to expect in production", tuple(expectation_blocks(known)))


def expectation_blocks(known: NetworkForecast) -> list[Block]:
    """Return the forecast: kinds, picture, cost, then places and products."""
    said = (
        f"For {times(known.hosts, 'host')}, from {times(known.sessions, 'session')} on "
        f"{times(known.targets, 'target')} that stand for {known.hosts_covered:,} of them. Intervals hold "
        f"{100 * INTERVAL_SHARE:.0f} % of outcomes if the network is as the inventory says."
    )
    return [
        Paragraph(text(said)),
        *_scanned_by(known),
        _groups("Found and missed", known.kinds, _kind_name),
        _picture("Found, missed, unknown", known.kinds, _kind_name),
        _costs(known.quantities),
        _groups("Services by port", known.places, _own_name, counted=True),
        _groups("Products identified", known.products, _own_name, counted=True),
        *_inside(known),
        Listing(tuple(text("Assumed: ", line) for line in known.assumptions)),
    ]


def _scanned_by(known: NetworkForecast) -> list[Block]:
    by = known.scanned_by
    return [Paragraph(text("Scanned by ", Quoted(by, prose=True), "."))] if by else []


def _kind_name(group: Group) -> Text:
    words = {"host": "hosts", "service": "services (open ports)", "product": "products identified"}
    return text(words.get(group.name, group.name))


def _own_name(group: Group) -> Text:
    return text(Quoted(group.name))


def _groups(
    title: str, groups: Sequence[Group], name: Callable[[Group], Text], *, counted: bool = False
) -> Table:
    rows = [
        (
            name(group),
            text(f"{group.total:,}"),
            text(f"{group.covered:,}"),
            text("-" if group.found is None else about(group.found.value), strong=True),
            text(_range(group.found)),
            _missed(group),
            text(f"{group.unknown:,}" if group.unknown else "", tone="warn"),
        )
        for group in groups
    ]
    columns = (
        "",
        figure("In the inventory"),
        figure("Covered"),
        figure("Found"),
        figure(f"{100 * INTERVAL_SHARE:.0f} % interval"),
        figure("Missed"),
        figure("Unknown"),
    )
    return table(title, columns, rows, "Nothing is known of it.", counted=counted)


def _missed(group: Group) -> Text:
    missed = group.missed
    if missed is None or not round(missed.value, 1):
        return text("")
    return text(about(missed.value), tone="bad")


def _picture(title: str, groups: Sequence[Group], name: Callable[[Group], Text]) -> Bars:
    bars = []
    for group in groups[:MAX_BARS]:
        found = group.found.value if group.found else 0.0
        parts: tuple[Segment, ...] = (
            Segment(found, "good", "expected found"),
            Segment(max(0.0, group.covered - found), "bad", "expected missed"),
            Segment(group.unknown, "gap", "unknown"),
        )
        share = found / group.total if group.total else 0.0
        bars.append(Bar(name(group), parts, f"{100 * share:.0f} %"))
    return Bars(title, tuple(bars), _FOUND_LEGEND, shares=True)


def _costs(quantities: Sequence[QuantityForecast]) -> Table:
    rows = [
        (
            text(QUANTITIES[each.name]),
            text(_quantity_expected(each), strong=True),
            text(_quantity_range(each)),
            text(each.basis, tone="quiet"),
        )
        for each in quantities
    ]
    columns = ("", figure("Expected"), figure(f"{100 * INTERVAL_SHARE:.0f} % interval"), "From")
    return table("What the scan takes and does", columns, rows, "")


def quantity(name: Quantity, value: float) -> str:
    """Return a quantity in its unit."""
    if name == "seconds":
        return seconds(value)
    if name == "bytes":
        return size(value)
    return about(value) if name == "harmed" else f"{value:,.0f}"


def _quantity_expected(each: QuantityForecast) -> str:
    if each.expected is None:
        return "not measured"
    return f"{'at least ' * each.at_least}{quantity(each.name, each.expected.value)}"


def _quantity_range(each: QuantityForecast) -> str:
    if each.expected is None:
        return "-"
    low, high = (quantity(each.name, value) for value in (each.expected.low, each.expected.high))
    return f"from {low}" if each.at_least else f"{low} to {high}"


def _inside(known: NetworkForecast) -> list[Block]:
    if not known.inside:
        return []
    rows = [
        (
            text(Quoted(each.kind), *((f", {each.attribute}",) if each.attribute else ())),
            text(about(each.covered)),
            text(about(each.found.value), strong=True),
            text(_range(each.found)),
        )
        for each in known.inside
    ]
    columns = (
        "",
        figure("On covered hosts"),
        figure("Found"),
        figure(f"{100 * INTERVAL_SHARE:.0f} % interval"),
    )
    note = "The inventory does not count these: as many as the stand-ins have, weighted."
    return [table("Inside services", columns, rows, "", note=note)]


def _range(expected: Expected | None) -> str:
    return "-" if expected is None else f"{about(expected.low)} to {about(expected.high)}"
