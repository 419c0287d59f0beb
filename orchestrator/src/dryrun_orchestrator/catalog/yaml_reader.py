"""Parses the YAML that operators install, and refuses what could surprise a reader.

These files consist of text, whole numbers, lists and maps. Everything else in YAML (dates, floats, yes and
no) becomes `Unusable`, so that the error can say what was found instead. Nothing is constructed from a tag.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml
from yaml._yaml import CParser

from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.yaml_tree import Content, FaultList, Node, Unusable, shown

MAX_DEPTH = 24
MAX_NODES = 50_000
"""Counted with aliases expanded: a few nested aliases can stand for billions of values."""
MAX_CHARACTERS = 1024 * 1024
"""In all texts together, with aliases expanded."""

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({f"{_TAG}str", f"{_TAG}value", f"{_TAG}merge"})
"""Plain `=` and `<<` resolve to special tags; as values they are text."""
_WORDS = {
    f"{_TAG}bool": "yes or no",
    f"{_TAG}float": "a number",
    f"{_TAG}int": "a number",
    f"{_TAG}null": "empty",
    f"{_TAG}timestamp": "a date",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_READ_DIFFERENTLY = re.compile("[\\t\\r!?\\x85\\u2028\\u2029\\ufeff]|[|>]#")
"""Tabs, tags, keys marked as such, other ends of lines, comments right after a block's mark: some of these
libyaml reads where PyYAML refuses them, or as something else."""
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")


class _RefusedError(Exception):
    """The document as a whole is refused."""

    def __init__(self, what: str, line: int = 0) -> None:
        self.line = line
        super().__init__(what)


def read_yaml(raw: bytes, report: FaultList, *, unescape: Callable[[str], str] | None = None) -> Node | None:
    """Parse one YAML document; None when there is none. Every fault goes into `report`.

    `unescape` is applied to every text value; its ValueError becomes a fault at that place.
    """
    try:
        return _Reader(report, unescape).read(_compose(raw))
    except _RefusedError as error:
        report.add(str(error), line=error.line)
        return None


def _compose(raw: bytes) -> yaml.Node:
    try:
        text = raw.decode("utf-8")
        composed = _composed(text)
    except UnicodeDecodeError as error:
        raise _RefusedError(f"is not UTF-8 at byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise _RefusedError(f"is not YAML: {printable(what)}", mark.line + 1 if mark else 0) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML raises ValueError and OverflowError for characters and versions out of range.
        raise _RefusedError(f"is not YAML: {printable(' '.join(str(error).split()))}") from error
    if composed is None:
        raise _RefusedError("is empty")
    return composed


def _composed(text: str) -> yaml.Node | None:
    if _READ_DIFFERENTLY.search(text) is None:
        try:
            node = _FastComposer(text).get_single_node()
        except (yaml.YAMLError, ValueError, OverflowError):
            # PyYAML's own parser says better what is wrong, and where.
            pass
        else:
            # Where a document is that has only its marker, too.
            if not isinstance(node, yaml.ScalarNode) or node.value:
                return node
    return _Composer(text).get_single_node()


class _Shallow(yaml.composer.Composer):
    """PyYAML's composer, which recurses, with a limit on nesting."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _RefusedError(f"is nested deeper than {MAX_DEPTH} levels")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Composer(_Shallow, yaml.SafeLoader):
    """Parses in Python."""


class _FastComposer(_Shallow, CParser, yaml.resolver.Resolver):
    """Parses by libyaml, seven times as fast."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        yaml.resolver.Resolver.__init__(self)


@dataclass(slots=True)
class _Reader:
    report: FaultList
    unescape: Callable[[str], str] | None
    nodes: int = 0
    characters: int = 0

    def read(
        self,
        source: yaml.Node,
        *,
        line: int | None = None,
        step: str | int | None = None,
        parent: Node | None = None,
        depth: int = 1,
    ) -> Node:
        self._count(source, depth)
        line = line or source.start_mark.line + 1
        content = self._empty_content(source)
        node = Node(content, line, self.report, step, parent)
        if isinstance(content, Unusable) and content.recorded:
            node.fault(f"the tag {shown(source.tag)} has no meaning here")
        elif isinstance(content, str):
            return self._checked(content, node)
        elif isinstance(content, list):
            for index, child in enumerate(source.value):
                content.append(self.read(child, step=index, parent=node, depth=depth + 1))
        elif isinstance(content, dict):
            for key, child in source.value:
                self._read_entry(content, key, child, node, depth)
        return node

    def _read_entry(
        self, content: dict[str, Node], key: yaml.Node, child: yaml.Node, node: Node, depth: int
    ) -> None:
        self._count(key, depth)
        line = key.start_mark.line + 1
        if key.tag == f"{_TAG}merge":
            self.report.add(
                "the merge key '<<' is outside the subset: write it out", line=line, path=node.path
            )
        elif key.tag not in _TEXT_TAGS or not isinstance(key.value, str):
            self.report.add("a key is not a text; write it in quotes", line=line, path=node.path)
        elif _CONTROL.search(key.value):
            self.report.add("a key holds a control character", line=line, path=node.path)
        elif key.value in content:
            first = content[key.value]
            what = f"the key {shown(key.value)} occurs here twice, first in line {first.line}"
            self.report.add(what, line=line, path=first.path)
        else:
            content[key.value] = self.read(child, line=line, step=key.value, parent=node, depth=depth + 1)

    def _empty_content(self, source: yaml.Node) -> Content:
        content: Content = Unusable("a value with a tag", recorded=True)
        match source:
            case yaml.SequenceNode() if source.tag == f"{_TAG}seq":
                content = []
            case yaml.MappingNode() if source.tag == f"{_TAG}map":
                content = {}
            case yaml.ScalarNode() if source.tag in _TEXT_TAGS:
                content = str(source.value)
            case yaml.ScalarNode() if source.tag == f"{_TAG}int" and _DECIMAL.fullmatch(source.value):
                content = int(source.value)
            case yaml.ScalarNode() if source.tag in _WORDS:
                content = Unusable(_WORDS[source.tag])
        return content

    def _checked(self, text: str, node: Node) -> Node:
        problem: str | None = None
        if _CONTROL.search(text):
            problem = "holds a control character"
        elif self.unescape is not None:
            try:
                text = self.unescape(text)
            except ValueError as error:
                problem = str(error)
        if problem is not None:
            node.fault(problem)
        content = text if problem is None else Unusable("a text", recorded=True)
        return Node(content, node.line, node.report, node.step, node.parent)

    def _count(self, source: yaml.Node, depth: int) -> None:
        self.nodes += 1
        if isinstance(source, yaml.ScalarNode):
            self.characters += len(source.value)
        if self.nodes > MAX_NODES or self.characters > MAX_CHARACTERS or depth > MAX_DEPTH:
            raise _RefusedError(
                f"is too large with its aliases replaced; allowed are {MAX_NODES} values, {MAX_CHARACTERS} "
                f"characters and {MAX_DEPTH} levels"
            )
