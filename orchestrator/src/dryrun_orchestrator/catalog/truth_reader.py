"""Parses ground truth (an image's, or a service's `x-ground-truth`) into the contract's facts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from dryrun_contract.ground_truth import Fact
from dryrun_contract.kinds import COMPARISONS, KINDS
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.yaml_tree import Node, shown

_HOST = "service"
"""Stands for the host while a relative key is parsed."""


def read_ground_truth(node: Node, image: str | None, image_facts: Mapping[str, str]) -> tuple[Fact, ...]:
    """Return the facts in `node`, with keys relative to their service and `{fact: NAME}` replaced.

    Every fault goes into the node's report. Without an approved image no image fact is looked up.
    """
    facts: list[Fact] = []
    seen: dict[tuple[str, str], int] = {}
    known = None if image is None else _ImageFacts(image, image_facts)
    for place, item in enumerate(node.items()):
        fields = item.fields({"kind": True, "key": True, "data": False, "hard": False})
        kind = _read_kind(fields["kind"]) if "kind" in fields else None
        key = _read_key(fields["key"], kind) if "key" in fields else None
        data = _read_data(fields["data"], kind, known) if "data" in fields else {}
        hard = fields["hard"].text(max_length=200) if "hard" in fields else None
        if kind is None or key is None:
            continue
        if (kind, key) in seen:
            item.fault(f"lists {kind} {shown(key)} a second time, first at [{seen[kind, key]}]")
            continue
        seen[kind, key] = place
        facts.append(Fact(kind=kind, key=key, data=data, hard=hard))
    return tuple(facts)


def of_service(facts: Iterable[Fact], service: str) -> tuple[Fact, ...]:
    """Return the facts with absolute keys: for `web`, `:80/tcp` becomes `web:80/tcp`."""
    return tuple(fact.model_copy(update={"key": f"{service}{fact.key}"}) for fact in facts)


@dataclass(frozen=True, slots=True)
class _ImageFacts:
    image: str
    values: Mapping[str, str]


def _read_data(node: Node, kind: str | None, known: _ImageFacts | None) -> dict[str, JsonValue]:
    if kind is None:
        return {}
    scored = dict.fromkeys(KINDS[kind].scored, False)
    otherwise = f"scored attributes of a {kind} are {', '.join(scored) or 'none'}"
    found: dict[str, JsonValue] = {}
    for name, entry in node.fields(scored, otherwise=otherwise).items():
        comparison = COMPARISONS.get(name, "text")
        if comparison == "number" and isinstance(entry.content, int):
            found[name] = entry.content
            continue
        if comparison == "names":
            values = _read_list(entry, lambda item: item.text())
        elif comparison == "spellings" and isinstance(entry.content, list):
            values = _read_list(entry, lambda item: _read_value(item, known))
        else:
            value = _read_value(entry, known)
            if value is not None:
                found[name] = value
            continue
        found[name] = list[JsonValue](values)
    return found


def _read_value(node: Node, known: _ImageFacts | None) -> str | None:
    if not isinstance(node.content, dict):
        return node.text()
    fields = node.fields({"fact": True})
    name = fields["fact"].text() if "fact" in fields else None
    if name is None or known is None:
        return None
    if name not in known.values:
        listed = ", ".join(sorted(known.values)) or "none"
        fields["fact"].fault(f"{known.image} has no fact {shown(name)}; it has {listed}")
        return None
    return known.values[name]


def _read_kind(node: Node) -> str | None:
    kind = node.text()
    if kind is not None and kind not in KINDS:
        node.fault(f"is {shown(kind)}; known kinds are {', '.join(KINDS)}")
        return None
    return kind


def _read_key(node: Node, kind: str | None) -> str | None:
    text = node.string(max_length=1000)
    if text is None:
        return None
    fault: str | None = None
    key = ResourceKey(_HOST)
    if text and not text.startswith(":"):
        fault = f"is {shown(text)}; a key is relative to its service: '' for the host, else :PORT/tcp[/NAME…]"
    else:
        try:
            key = ResourceKey.parse(f"{_HOST}{text}")
            fault = _why_not_of(kind, key) if kind is not None else None
        except ValueError as error:
            fault = printable(str(error))
    if fault is not None:
        node.fault(fault)
        return None
    return str(key).removeprefix(_HOST)


def _why_not_of(kind: str, key: ResourceKey) -> str | None:
    if kind == "host":
        return None if key.port is None else "lies on the host; the key of a host is ''"
    if key.port is None:
        return f"is the host's; the key of a {kind} has a port"
    least, most = KINDS[kind].names
    if not least <= len(key.path) <= most:
        return f"has {len(key.path)} names after the port; the key of a {kind} looks like {KINDS[kind].key}"
    return None


def _read_list(node: Node, read: Callable[[Node], str | None]) -> list[str]:
    found: list[str] = []
    for item in node.items():
        value = read(item)
        if value is not None and value in found:
            item.fault(f"{shown(value)} is in this list already")
        elif value is not None:
            found.append(value)
    if isinstance(node.content, list) and not node.content:
        node.fault("is an empty list; leave it out when it is not to be scored")
    return found
