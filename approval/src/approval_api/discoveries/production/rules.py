"""Rules that approve: made, previewed, switched on by somebody who may decide, and applied to reports.

A rule approves and never rejects, and only what is open: nothing that somebody rejected, took back or decided
on in this revision. It stops when whoever made it, or switched it on, may no longer decide, and when it would
approve more than it may in a day.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, and_, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.audit.entry import AuditOutcome, Entry, write
from approval_api.database.locks import hold
from approval_api.database.readable import read_one, readable
from approval_api.database.tables import approval_rules as table
from approval_api.database.tables import discoveries
from approval_api.discoveries.production.repository import of_decision
from approval_api.discoveries.production.rule_matching import conditions, matches
from approval_api.web.problems import ProblemError, too_many, unknown
from dryrun_contract.production import RuleMatch, RulePreview, RuleRequest, RuleView

MOST_RULES = 50
EXAMPLES = 20
MOST_COUNTED = 100_000
RULE_PREFIX = "rule:"
"""Prefix of who decided, where a rule did; no person's name can hold it."""
_IDS_A_LINE = 60
"""Ids in a line of the audit log, whose texts have 1,000 characters."""

type MayDecide = Callable[[AsyncConnection, str], Awaitable[bool]]


async def create(connection: AsyncConnection, wanted: RuleRequest, made_by: str) -> RuleView:
    """Store a rule, switched off. Raises ProblemError: 409 for a name that is taken, 422, 429."""
    if made_by in wanted.reporters:
        raise ProblemError(
            "own-reports",
            422,
            f"{made_by!r} makes this rule and reports what it would approve; let somebody else make it",
            title="Nobody decides on their own reports by a rule",
        )
    await hold(connection, "approval rules")
    if (await connection.scalar(select(func.count()).select_from(table)) or 0) >= MOST_RULES:
        raise too_many("rules", f"there are {MOST_RULES} rules")
    values = {"id": uuid4(), "name": wanted.name, "request": wanted.model_dump(mode="json")}
    try:
        async with connection.begin_nested():
            stored = await connection.execute(
                insert(table).values(**values, made_by=made_by).returning(table)
            )
            return _view(stored.mappings().one())
    except IntegrityError:
        raise ProblemError(
            "name-taken", 409, f"there is a rule {wanted.name!r} already; choose another name"
        ) from None


def unknown_rule(rule_id: UUID) -> ProblemError:
    """Return the 404 problem."""
    return unknown("rule", rule_id, "/api/v1/production/rules")


async def list_all(connection: AsyncConnection) -> list[RuleView]:
    """Return all rules, by name."""
    found = await connection.execute(select(table).order_by(table.c.name))
    return readable(found.mappings(), _view, "a rule")


async def require(connection: AsyncConnection, rule_id: UUID, *, lock: bool = False) -> RuleView:
    """Return a rule. Raises a 404 problem."""
    query = select(table).where(table.c.id == rule_id)
    found = await connection.execute(query.with_for_update() if lock else query)
    row = found.mappings().one_or_none()
    if row is None:
        raise unknown_rule(rule_id)
    return read_one(row, _view, "this rule")


async def remove(connection: AsyncConnection, rule_id: UUID) -> tuple[str, str]:
    """Delete a rule and return its name and its request, as stored; what it approved stays approved.

    Raises a 404 problem.
    """
    stored = table.c.name, table.c.request
    removed = await connection.execute(delete(table).where(table.c.id == rule_id).returning(*stored))
    rule = removed.one_or_none()
    if rule is None:
        raise unknown_rule(rule_id)
    return rule.name, json.dumps(rule.request, ensure_ascii=False, separators=(",", ":"))


async def preview(connection: AsyncConnection, rule: RuleRequest) -> RulePreview:
    """Return what `rule` would approve of the queue as it is."""
    found = await _matching(connection, rule)
    shown = discoveries.c
    columns = [shown[name] for name in RuleMatch.model_fields]
    examples = await connection.execute(
        select(*columns).where(shown.id.in_([each for each, _ in found[:EXAMPLES]])).order_by(shown.id)
    )
    # Not count(*): the queue may be a million.
    waiting = select(shown.id).where(shown.status == "pending").limit(MOST_COUNTED).subquery()
    return RulePreview(
        matching=len(found),
        queue=await connection.scalar(select(func.count()).select_from(waiting)) or 0,
        examples=tuple(RuleMatch.model_validate(dict(row)) for row in examples.mappings()),
        digest=_digest(found),
        remaining={} if found else await _remaining(connection, rule),
    )


async def _remaining(connection: AsyncConnection, rule: RuleRequest) -> dict[str, int]:
    """Return how much of the queue each condition of a rule leaves of what those before it left."""
    holds = conditions(rule)
    some = select(discoveries.c.id).where(discoveries.c.status == "pending").limit(MOST_COUNTED)
    counts = [
        func.count().filter(and_(*[*holds.values()][: number + 1])).label(name)
        for number, name in enumerate(holds)
    ]
    found = await connection.execute(select(*counts).where(discoveries.c.id.in_(some)))
    return dict(found.mappings().one())


async def switch_on(connection: AsyncConnection, rule_id: UUID, previewed: str, person: str) -> int:
    """Switch a rule on and approve exactly what its preview had; return how many.

    Raises ProblemError: 404; 409 when the queue is no longer what the preview showed, when it is on already,
    or when it would approve more than it may in a day.
    """
    rule = await require(connection, rule_id)
    # Before anything is locked: reports of what matches would wait for whoever repeats this in vain.
    _require_previewed(rule, await _matching(connection, rule.request), previewed, person)
    # Discoveries are locked before rules, as reports lock them, so that no two deadlock.
    found = await _matching(connection, rule.request, lock=True)
    rule = await require(connection, rule_id, lock=True)
    _require_previewed(rule, found, previewed, person)
    await connection.execute(
        update(table).where(table.c.id == rule_id).values(on_since=func.now(), on_by=person, off_because=None)
    )
    rule = await require(connection, rule_id)
    await _approve(connection, rule, [each for each, _ in found], None)
    return len(found)


def _require_previewed(rule: RuleView, found: Sequence[tuple[int, int]], previewed: str, person: str) -> None:
    """Raise a 409 problem unless `person` may switch the rule on, and `found` is what its preview had."""
    if rule.on_since is not None:
        raise ProblemError("rule-is-on", 409, f"the rule {rule.request.name!r} is on already")
    if person in rule.request.reporters:
        raise ProblemError(
            "own-reports",
            409,
            f"{person!r} reports what this rule would approve; let somebody else switch it on",
            title="Nobody decides on their own reports by a rule",
        )
    if _digest(found) != previewed:
        raise ProblemError(
            "preview-outdated",
            409,
            "the queue is no longer what the preview showed; look at the preview again",
            title="The preview is outdated",
        )
    if len(found) > rule.request.most_a_day:
        raise ProblemError(
            "too-many-matches",
            409,
            f"more than {rule.request.most_a_day} discoveries match, the most that this rule may approve "
            "in a day; make one that names less, or that may approve more",
            title="The rule matches too much",
        )


async def switch_off(connection: AsyncConnection, rule_id: UUID, because: str) -> RuleView:
    """Switch a rule off; the first reason stays. Raises a 404 problem."""
    await require(connection, rule_id, lock=True)
    await connection.execute(
        update(table)
        .where(table.c.id == rule_id, table.c.on_since.is_not(None))
        .values(on_since=None, on_by=None, off_because=because)
    )
    return await require(connection, rule_id)


async def apply(
    connection: AsyncConnection,
    collector: str,
    reporter: str,
    ids: Sequence[int],
    may_decide: MayDecide,
    request_id: str | None,
) -> int:
    """Let the rules that are on approve what `reporter` reported as `collector`; return how many they did.

    Each approval is a line of the audit log, in this transaction.
    """
    found = await connection.execute(
        select(table).where(table.c.on_since.is_not(None)).order_by(table.c.name)
    )
    approved = 0
    # One that cannot be read approves nothing, and keeps no report out.
    for rule in readable(found.mappings(), _view, "a rule"):
        if collector not in rule.request.collectors or reporter not in rule.request.reporters:
            continue
        matching = await _matching(connection, rule.request, among=ids, lock=True)
        if matching:
            chosen = [each for each, _ in matching]
            approved += await _approve_within_the_day(connection, rule, chosen, may_decide, request_id)
    return approved


async def _approve_within_the_day(
    connection: AsyncConnection,
    rule: RuleView,
    ids: Sequence[int],
    may_decide: MayDecide,
    request_id: str | None,
) -> int:
    locked = select(table).where(table.c.id == rule.id, table.c.on_since.is_not(None)).with_for_update()
    row = (await connection.execute(locked)).mappings().one_or_none()
    if row is None:
        return 0
    for person in {row["made_by"], row["on_by"]}:
        if not await may_decide(connection, person):
            await _stop(connection, rule, f"{person} may no longer decide", request_id)
            return 0
    today = await connection.scalar(select(func.current_date()))
    before = row["approved_on_day"] if row["day"] == today else 0
    if before + len(ids) > rule.request.most_a_day:
        why = f"it would have approved {before + len(ids)} in a day, more than {rule.request.most_a_day}"
        await _stop(connection, rule, why, request_id)
        return 0
    await _approve(connection, rule, ids, request_id)
    return len(ids)


async def _approve(
    connection: AsyncConnection, rule: RuleView, ids: Sequence[int], request_id: str | None
) -> None:
    who = f"made by {rule.made_by}, switched on by {rule.on_by}"
    await connection.execute(
        update(discoveries)
        .where(discoveries.c.id.in_(ids))
        .values(
            status="approved",
            decided_as="approved",
            decided_by=RULE_PREFIX + rule.request.name,
            decided_at=func.now(),
            note=who,
            **of_decision(),
        )
    )
    on_day = text("CASE WHEN day = current_date THEN approved_on_day ELSE 0 END + :more").bindparams(
        more=len(ids)
    )
    await connection.execute(
        update(table)
        .where(table.c.id == rule.id)
        .values(approved=table.c.approved + len(ids), day=func.current_date(), approved_on_day=on_day)
    )
    for start in range(0, len(ids), _IDS_A_LINE):
        some = ", ".join(map(str, ids[start : start + _IDS_A_LINE]))
        await _write(connection, rule, "approve_by_rule", f"discoveries {some}", who, request_id)


async def _stop(connection: AsyncConnection, rule: RuleView, why: str, request_id: str | None) -> None:
    await switch_off(connection, rule.id, why)
    await _write(connection, rule, "stop_rule", str(rule.id), why, request_id)


async def _write(
    connection: AsyncConnection,
    rule: RuleView,
    action: str,
    object_: str,
    detail: str,
    request_id: str | None,
) -> None:
    entry = Entry(
        action=action,
        outcome=AuditOutcome.DONE,
        actor=RULE_PREFIX + rule.request.name,
        proof="rule",
        object=object_,
        detail=detail,
        request_id=request_id,
    )
    await write(connection, entry)


async def _matching(
    connection: AsyncConnection,
    rule: RuleRequest,
    *,
    among: Sequence[int] | None = None,
    lock: bool = False,
) -> list[tuple[int, int]]:
    """Return id and revision of what `rule` approves, in order; at most one more than it may in a day."""
    shown = discoveries.c
    query = select(shown.id, shown.revision).where(matches(rule)).order_by(shown.id)
    query = query.limit(rule.most_a_day + 1) if among is None else query.where(shown.id.in_(among))
    found = await connection.execute(query.with_for_update() if lock else query)
    return [(row.id, row.revision) for row in found]


def _digest(found: Sequence[tuple[int, int]]) -> str:
    return sha256(json.dumps([list(each) for each in found]).encode()).hexdigest()


def _view(row: RowMapping) -> RuleView:
    return RuleView(
        request=RuleRequest.model_validate(row["request"]),
        **{name: row[name] for name in RuleView.model_fields if name != "request"},
    )
