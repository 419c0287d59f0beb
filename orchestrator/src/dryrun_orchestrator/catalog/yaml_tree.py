"""An operator's file as a tree whose nodes know their place, so that faults can name it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dryrun_contract.problem import Fault
from dryrun_contract.text import printable

MAX_FAULTS = 500
"""Per file. More come from a file of another kind."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A value that is neither text nor a whole number. `recorded` when its fault is already recorded."""

    words: str
    recorded: bool = False


@dataclass(slots=True)
class FaultList:
    """Collects the faults of one file. `file` is its name for people, e.g. `templates/small.yml`."""

    file: str
    _found: list[tuple[int, Fault]] = field(default_factory=list)
    _unlisted: int = 0

    def add(self, what: str, *, line: int = 0, path: str = "") -> None:
        """Record a fault; line 0 means the whole file."""
        if len(self._found) == MAX_FAULTS:
            self._unlisted += 1
            return
        where = f"{self.file}:{line}" if line else self.file
        self._found.append((line, Fault(where=f"{where}: {path}" if path else where, what=what)))

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All faults by line; beyond MAX_FAULTS the last one counts the rest."""
        recorded = tuple(fault for _, fault in sorted(self._found, key=lambda found: found[0]))
        if not self._unlisted:
            return recorded
        return (
            *recorded,
            Fault(where=self.file, what=f"has {self._unlisted} more problems, which are not listed"),
        )


type Content = str | int | Unusable | list[Node] | dict[str, Node]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value of the file with its place; a value of the wrong type becomes a fault in the report."""

    content: Content
    line: int
    report: FaultList = field(repr=False)
    step: str | int | None = None
    """Key or index below `parent`; None for the document itself."""
    parent: "Node | None" = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """Its path, e.g. `services.db.x-ground-truth[0].key`."""
        steps: list[str] = []
        node: Node | None = self
        while node is not None and node.step is not None:
            step = node.step
            steps.append(f"[{step}]" if isinstance(step, int) else f".{printable(step, limit=80)}")
            node = node.parent
        return "".join(reversed(steps)).removeprefix(".")

    def fault(self, what: str) -> None:
        """Record a fault at this place."""
        self.report.add(what, line=self.line, path=self.path)

    def string(self, *, max_length: int) -> str | None:
        """Return the text unchanged, even if empty; None, with a fault, when it is not text or too long."""
        if not isinstance(self.content, str):
            hint = "; write it in quotes" if self._words() in {"a number", "yes or no", "a date"} else ""
            self._expected("a text", hint)
            return None
        if len(self.content) > max_length:
            self.fault(f"has {len(self.content)} characters; at most {max_length} are allowed")
            return None
        return self.content

    def text(self, *, max_length: int = 1000) -> str | None:
        """Return the text without surrounding space; None, with a fault, also when it is empty."""
        text = self.string(max_length=max_length)
        if text is not None and not text.strip():
            self.fault("is empty")
            return None
        return text and text.strip()

    def integer(self, *, least: int, most: int) -> int | None:
        """Return the whole number; None, with a fault, when it is not one or out of bounds."""
        if not isinstance(self.content, int):
            self._expected("a whole number")
            return None
        if not least <= self.content <= most:
            self.fault(f"is {self.content}; it can be {least} to {most}")
            return None
        return self.content

    def items(self) -> "list[Node]":
        """Return the entries of a list; empty, with a fault, when it is not a list."""
        if not isinstance(self.content, list):
            self._expected("a list")
            return []
        return self.content

    def entries(self) -> "dict[str, Node]":
        """Return the entries of a map with any keys; empty, with a fault, when it is not a map."""
        if not isinstance(self.content, dict):
            self._expected("a map")
            return {}
        return self.content

    def fields(
        self,
        known: Mapping[str, bool],
        why_not: Mapping[str, str] | None = None,
        *,
        otherwise: str | None = None,
    ) -> "dict[str, Node]":
        """Return the entries of a map whose keys are all in `known` (key → whether it is required).

        Every other key and every missing required key is a fault. `why_not` gives reasons for keys that
        people might expect to work, `otherwise` the reason for all others.
        """
        entries = self.entries()
        for key, node in entries.items():
            if key not in known:
                why = (why_not or {}).get(key, otherwise or f"known here are {', '.join(known)}")
                node.fault(f"the key {shown(key)} is outside the subset: {why}")
        if isinstance(self.content, dict):
            for key, required in known.items():
                if required and key not in entries:
                    self.fault(f"the key {shown(key)} is missing")
        return {key: node for key, node in entries.items() if key in known}

    def _words(self) -> str:
        if isinstance(self.content, Unusable):
            return self.content.words
        return {str: "a text", int: "a number", list: "a list", dict: "a map"}[type(self.content)]

    def _expected(self, expected: str, hint: str = "") -> None:
        if not (isinstance(self.content, Unusable) and self.content.recorded):
            self.fault(f"is {self._words()}; expected {expected}{hint}")


def tree_of(
    value: object, report: FaultList, *, step: str | int | None = None, parent: Node | None = None
) -> Node:
    """Return parsed data, e.g. from JSON, as a tree; its faults have a path and no line."""
    content: Content = Unusable("a value of another type")
    match value:
        case bool():
            content = Unusable("yes or no")
        case str() | int():
            content = value
        case list() | tuple():
            content = []
        case dict():
            content = {}
    node = Node(content, 0, report, step, parent)
    if isinstance(content, list) and isinstance(value, (list, tuple)):
        content.extend(tree_of(item, report, step=index, parent=node) for index, item in enumerate(value))
    elif isinstance(content, dict) and isinstance(value, dict):
        content.update((key, tree_of(item, report, step=key, parent=node)) for key, item in value.items())
    return node


def shown(text: str) -> str:
    """Return text of the file for an error message, quoted and safe to show."""
    return f"'{printable(text, limit=80)}'"
