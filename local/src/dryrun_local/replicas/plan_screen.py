"""Draws the plan of a replica: coverage as a sentence and a picture, then classes, gaps, cost and notes."""

from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from dryrun_cli.drawing.glyphs import UNICODE
from dryrun_contract.text import counted, printable
from dryrun_local.replicas.needed_images import ToBuild
from dryrun_local.replicas.shared_root import ABOUT_MB
from dryrun_local.terminal.screen import Screen
from dryrun_replica.inventory.model import MAX_NOTE_CHARACTERS
from dryrun_replica.levels import LEVELS, Level, Match
from dryrun_replica.planning.plan import Estimate, Plan, PlannedClass
from dryrun_replica.planning.summary import TITLES, bar, made_from, sentence

_STYLES = {
    Level.SAME_VERSION: "green",
    Level.SAME_PRODUCT: "cyan",
    Level.RELATIVE: "yellow",
    Level.BANNER: "magenta",
    Level.NOTHING: "bold red",
}
_CELLS = dict(zip(LEVELS, "█▓▒░·", strict=True))
_PLAIN_CELLS = dict(zip(LEVELS, "#=+-.", strict=True))
"""Without colour each level still has a sign of its own."""
_THERE: dict[bool | None, str] = {
    True: ", which is there",
    False: ", which is built first, once, in some minutes",
    None: "",
}
"""Words on the image below all stand-ins; None: the engine was not asked, or does not say."""
MAX_CLASSES = 30
MAX_GAPS = 15
_WIDEST_BAR = 72


class PlanScreen:
    """Prints one plan."""

    def __init__(
        self,
        screen: Screen,
        plan: Plan,
        *,
        root_is_built: bool | None = None,
        to_build: ToBuild | None = None,
        is_installed: bool = False,
    ) -> None:
        self._screen = screen
        self._plan = plan
        self._root_is_built = root_is_built
        self._to_build = to_build
        self._is_installed = is_installed
        self._cells = _CELLS if screen.glyphs is UNICODE else _PLAIN_CELLS

    def show(self) -> None:
        """Print all of the plan."""
        plan = self._plan
        known = f"{counted(plan.hosts, 'host')}, {counted(plan.coverage.services, 'service')}"
        self._screen.say(f"Replica {plan.name}: {known}, from {made_from(plan)}", "bold")
        self._screen.say("")
        self._show_coverage()
        self._show_classes()
        self._show_gaps()
        self._show_left_out()
        self._show_cost()

    def _show_coverage(self) -> None:
        coverage = self._plan.coverage
        self._screen.console.print(Text(sentence(coverage)))
        if not coverage.services:
            return
        width = max(20, min(_WIDEST_BAR, self._screen.console.width - 2))
        drawn = Text()
        for level, number in bar(coverage, width):
            drawn.append(self._cells[level] * number, _STYLES[level])
        self._screen.console.print(drawn)
        table = Table(box=None, show_header=False, pad_edge=False)
        for justify in ("left", "right", "right", "left"):
            table.add_column(justify=justify, no_wrap=True)
        for level in LEVELS:
            count = coverage.levels[level]
            share = f"{100 * count / coverage.services:.0f} %"
            share = "<1 %" if count and share == "0 %" else share
            style = "" if count else "dim"
            table.add_row(
                Text(self._cells[level] * 2, _STYLES[level] if count else "dim"),
                Text(f"{count:,}", style),
                Text(share, style),
                Text(TITLES[level], style),
            )
        self._screen.console.print(table)

    def _show_classes(self) -> None:
        plan = self._plan
        there = [each for each in plan.classes if each.targets]
        classes = counted(len(there), "class of hosts stands", "classes of hosts stand")
        self._heading(f"{classes} for the network, by {counted(plan.targets, 'target')}")
        table = _table(("HOSTS", "TARGETS", "CLASS", "SERVICES", "STAND-IN"), wide=(3, 4), right=(0, 1))
        for each in there[:MAX_CLASSES]:
            # A row for each product, so that long ones stay beside what stands for them.
            heads = (f"{each.hosts:,}", f"{each.targets:,}", each.name)
            for number, (services, stand_in) in enumerate(self._services(each)):
                table.add_row(*(heads if not number else ("", "", "")), services, stand_in)
        self._screen.console.print(table)
        self._more(len(there) - MAX_CLASSES, "classes")

    def _services(self, each: PlannedClass) -> Iterator[tuple[Text, Text]]:
        """Yield each product of a class with its places, and what stands for it."""
        if not each.services:
            yield Text("answers nowhere", "dim"), Text("")
        places: dict[tuple[str, bool, Level, str], list[str]] = {}
        for service in each.services:
            row = (
                service.shown or service.label,
                service.tls,
                service.match.level,
                _stands_on(service.match),
            )
            places.setdefault(row, []).append(service.place)
        for (label, tls, level, stands_on), where in places.items():
            found = f"{', '.join(where)} {printable(label)}{' over TLS' if tls else ''}"
            stand_in = Text(f"{self._cells[level]} ", _STYLES[level])
            stand_in.append(
                printable(each.image or stands_on), "dim" if level is Level.NOTHING else "default"
            )
            yield Text(found), stand_in

    def _show_gaps(self) -> None:
        gaps = [row for row in self._plan.coverage.rows if not row.level.is_real_software]
        if not gaps:
            return
        self._heading("Services without software of their own")
        table = _table(("", "COUNT", "THERE", "PLACES", "HERE", "WHY"), wide=(2, 3, 4, 5), right=(1,))
        for row in gaps[:MAX_GAPS]:
            places = ", ".join(row.places[:3]) + (" …" if len(row.places) > 3 else "")
            table.add_row(
                Text(self._cells[row.level], _STYLES[row.level]),
                f"{row.services:,}",
                printable(row.label),
                places,
                printable(row.stands_on or ("an open port" if row.level is Level.BANNER else "nothing")),
                printable(row.why),
            )
        self._screen.console.print(table)
        self._more(len(gaps) - MAX_GAPS, "rows")

    def _show_left_out(self) -> None:
        left_out = [each for template in self._plan.templates for each in template.sample.left_out]
        if not left_out:
            return
        hosts = sum(each.hosts for each in left_out)
        classes = counted(len(left_out), "class", "classes")
        self._heading(f"Left out: {classes} with {counted(hosts, 'host')}, for which 20 targets have no room")
        by_name = {each.name: each for each in self._plan.classes}
        table = _table(("HOSTS", "CLASS", "SERVICES", "ONLY THERE"), wide=(2, 3), right=(0,))
        for each in left_out[:MAX_GAPS]:
            only = _lines(each.only_there) if each.only_there else Text("nothing", "dim")
            services = Text("\n").join(line for line, _ in self._services(by_name[each.host_class]))
            table.add_row(f"{each.hosts:,}", each.host_class, services, only)
        self._screen.console.print(table)
        self._more(len(left_out) - MAX_GAPS, "classes")
        ways = "--all takes every host, in several templates"
        if any(each.only_there for each in left_out):
            ways += f"; a second import with --seed {self._plan.seed + 1} begins with these"
        self._screen.say(ways, "dim")

    def _show_cost(self) -> None:
        plan = self._plan
        templates = counted(len(plan.templates), "template")
        if self._is_installed:
            self._heading("Built")
            self._screen.say(f"{templates} with {counted(plan.targets, 'target')}")
        else:
            self._heading("To build")
            self._show_work(templates)
        for note in plan.notes:
            self._screen.note(printable(note.shown, limit=2 * MAX_NOTE_CHARACTERS))
        if plan.names_kept:
            self._screen.warn("names of the network are kept, in templates, images and reports")

    def _show_work(self, templates: str) -> None:
        plan, estimate, known = self._plan, self._plan.estimate, self._to_build
        built = "images that are there"
        if known is not None and known.images:
            built = f"{counted(known.images, 'image')}: {_parts(known)}"
        elif estimate.images:
            built = f"{counted(estimate.images, 'image')}: {_work(estimate)}"
        self._screen.say(f"{templates} with {counted(plan.targets, 'target')} on {built}")
        if estimate.images:
            shared = f"All stand on one shared image of about {ABOUT_MB:,} MB"
            self._screen.say(shared + _THERE[self._root_is_built])

    def _heading(self, text: str) -> None:
        self._screen.say("")
        self._screen.say(text, "bold")

    def _more(self, number: int, what: str) -> None:
        if number > 0:
            self._screen.say(f"and {number:,} more {what}: --json has all", "dim")


def _parts(known: ToBuild) -> str:
    missing = known.missing.images
    if not missing:
        return "all are there, none to build"
    there = f"{known.images - missing:,} there, " if missing < known.images else ""
    return f"{there}{missing:,} to build, {_work(known.missing)}"


def _work(estimate: Estimate) -> str:
    size = f"{estimate.size_mb:,} MB, " if estimate.size_mb else ""
    return f"{size}about {estimate.seconds:.0f} s"


def _table(titles: tuple[str, ...], *, wide: tuple[int, ...], right: tuple[int, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
    for number, title in enumerate(titles):
        table.add_column(
            title,
            justify="right" if number in right else "left",
            no_wrap=number not in wide,
            overflow="fold" if number in wide else "ellipsis",
        )
    return table


def _lines(texts: Iterable[str]) -> Text:
    return Text("\n".join(map(printable, texts)))


def _stands_on(match: Match) -> str:
    known = " ".join(filter(None, (match.product, match.version)))
    return printable(known) or ("an open port" if match.level is Level.BANNER else "nothing")
