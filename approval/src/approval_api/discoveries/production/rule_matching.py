"""What a rule approves, as one condition of SQL: previews and approvals ask the same.

Everything that a hostile collector may word is compared whole: the key has to be written in its canonical
form, in plain ASCII and with the parts of its kind; an attribute has to be named by the rule, with the value
among those that it accepts.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, and_, any_, case, cast, func, literal, not_, or_, true
from sqlalchemy.dialects.postgresql import INET

from approval_api.database.tables import discoveries as table
from dryrun_contract.kinds import KINDS
from dryrun_contract.production import RuleRequest

MAX_CHARACTERS = 4_000
"""Longest value, as JSON, that a rule accepts whatever it is."""
_PLAIN = "^[ -~]*$"
"""Others than U+0020 to U+007E do not always read as they are written: they are for a person to read."""
_NAME = "([^/%]|%2F|%25)+"
"""A name in a key, escaped only as `ResourceKey` escapes what is plain: one name has one spelling."""
_PLAIN_JSON = "^[] -[^-~]*$"
"""The same without the backslash, which begins JSON's escapes of control characters."""


def matches(rule: RuleRequest) -> ColumnElement[bool]:
    """Return the condition on a row of `discoveries` that `rule` approves it."""
    return and_(*conditions(rule).values())


def conditions(rule: RuleRequest) -> dict[str, ColumnElement[bool]]:
    """Return the conditions that all have to hold, by the rule's field that sets each, the cheapest first."""
    return {
        "decisions": _is_open(),
        "changes": table.c.change.in_(rule.changes),
        "collectors": table.c.collector.in_(rule.collectors),
        "reporters": table.c.reported_by.in_(rule.reporters),
        "min_confidence": table.c.confidence >= rule.min_confidence,
        "subnets": table.c.host.op("<<=", is_comparison=True)(
            any_(cast(literal(list(rule.subnets), ARRAY(Text)), ARRAY(INET)))
        ),
        "kinds": table.c.kind.in_(rule.kinds),
        "attributes": and_(
            table.c.key.regexp_match(_PLAIN),
            or_(*(_is_of_kind(kind, rule.attributes) for kind in rule.kinds)),
        ),
    }


def _is_open() -> ColumnElement[bool]:
    """Return the condition that this revision is undecided, and the last decision, if any, an approval.

    A decision that was taken back leaves its revision, and is a person's word too.
    """
    undecided = and_(table.c.decided_as.is_(None), table.c.decided_revision.is_(None))
    return and_(
        table.c.status == "pending",
        func.coalesce(table.c.decided_revision, 0) < table.c.revision,
        or_(undecided, table.c.decided_as == "approved"),
    )


def _is_of_kind(kind: str, attributes: Mapping[str, tuple[str, ...] | str]) -> ColumnElement[bool]:
    fewest, most = KINDS[kind].names
    rest = "^$" if kind == "host" else f"^:[1-9][0-9]{{0,4}}/(tcp|udp)(/{_NAME}){{{fewest},{most}}}$"
    address = func.host(table.c.host)
    written = case((func.family(table.c.host) == 4, address), else_=func.concat("[", address, "]"))
    length = func.length(written)
    return and_(
        table.c.kind == kind,
        func.left(table.c.key, length) == written,
        func.substr(table.c.key, length + 1).regexp_match(rest),
        *(_accepts(name, attributes.get(name)) for name in KINDS[kind].scored),
        true(),
    )


def _accepts(name: str, accepted: tuple[str, ...] | str | None) -> ColumnElement[bool]:
    value: ColumnElement[Any] = table.c.data[name]
    absent: ColumnElement[bool] = not_(table.c.data.has_key(name))
    if accepted is None:
        return absent
    if accepted == "any":
        written = cast(value, Text)
        plain = and_(func.length(written) <= MAX_CHARACTERS, written.regexp_match(_PLAIN_JSON))
        return or_(absent, plain)
    texts = [literal(each) for each in accepted]
    return and_(func.jsonb_typeof(value) == "string", table.c.data[name].astext.in_(texts))
