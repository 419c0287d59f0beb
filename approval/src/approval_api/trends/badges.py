"""Badges: how the newest measured session or time came out, as a picture of a few words.

Signed-in people read each; others only those that an administrator published, at an address nobody guesses.
"""

import secrets
from html import escape
from time import monotonic
from uuid import UUID

from sqlalchemy import RowMapping, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.locks import hold
from approval_api.database.tables import published_badges as table
from approval_api.database.tables import schedules
from approval_api.web.problems import ProblemError, unknown
from dryrun_contract.schedule import MAX_FIRINGS_SHOWN
from dryrun_contract.text import printable
from dryrun_contract.trend import Badge, PublishedBadge, PublishRequest

MOST_PUBLISHED = 200
ID = r"^[A-Za-z0-9_-]{22}$"
_COLOURS = {"green": "#0d6b3f", "red": "#b0211b", "blue": "#1f5ad6", "lightgrey": "#566072"}
_CHARACTER = 7.2
"""Width of a character in pixels, at 12 pixels, generously."""

_KEPT_SECONDS = 60
"""How long others may keep a published badge."""

_NEWEST = text("""
SELECT s.requested_at, s.criteria_name, r.figures FROM gateway.dryrun_sessions s
JOIN gateway.dryrun_reports r ON r.session_id = s.id
WHERE s.template = :template AND r.final AND r.failure IS NULL AND r.figures ->> 'recall' IS NOT NULL
ORDER BY s.requested_at DESC, s.id DESC LIMIT 1
""")
# Results of an experiment may have a hundred thousand values: the two that are shown leave the database.
_NEWEST_TIME = text("""
SELECT s.request #>> '{experiment,name}' AS name, s.next_at IS NULL AS paused,
    newest.due_at, newest.failed, newest.services
FROM gateway.schedules s LEFT JOIN LATERAL (
    SELECT due_at, failed, services FROM (
        SELECT f.due_at, f.failure IS NOT NULL AND f.skipped IS NULL AS failed,
            jsonb_path_query_first(
                e.results, '$.arms[0].rows[*] ? (@.kind == "service" && @.attribute == null)') AS services
        FROM gateway.schedule_firings f LEFT JOIN gateway.experiments e ON e.id = f.experiment_id
        WHERE f.schedule_id = s.id ORDER BY f.due_at DESC LIMIT :most
    ) times
    WHERE failed OR services #>> '{recall,value}' IS NOT NULL ORDER BY due_at DESC LIMIT 1
) newest ON true
WHERE s.id = :id
""")


class KeptBadges:
    """Published badges for a minute: a stranger who asks for one over and over has it computed once."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Badge]] = {}

    def find(self, badge_id: str) -> Badge | None:
        """Return a badge that was computed within the last minute."""
        until, badge = self._kept.get(badge_id, (0.0, None))
        return badge if monotonic() < until else None

    def keep(self, badge_id: str, badge: Badge) -> None:
        """Keep a badge for a minute."""
        now = monotonic()
        self._kept = {key: each for key, each in self._kept.items() if now < each[0]}
        self._kept[badge_id] = now + _KEPT_SECONDS, badge


async def of_template(connection: AsyncConnection, template: str) -> Badge:
    """Return the badge of a template's newest scored session."""
    row = (await connection.execute(_NEWEST, {"template": template})).one_or_none()
    if row is None:
        return _badge(template, "not measured", "lightgrey")
    measures = row.figures.get("measures") or {}
    recall, precision, passed = measures.get("recall"), measures.get("precision"), row.figures.get("passed")
    # Operators store criteria: a green badge says when it is by theirs.
    by = f" by {row.criteria_name}" if row.criteria_name else ""
    word = "" if passed is None else f", passed{by}" if passed else f", failed{by}"
    colour = "blue" if passed is None else "green" if passed else "red"
    badge = _badge(template, f"recall {_ratio(recall)}{word}", colour)
    return badge.model_copy(
        update={"at": row.requested_at, "recall": recall, "precision": precision, "passed": passed}
    )


async def of_schedule(connection: AsyncConnection, schedule_id: UUID) -> Badge | None:
    """Return the badge of a schedule's newest time: its baseline, or that it failed or is paused; or None."""
    given = {"id": schedule_id, "most": MAX_FIRINGS_SHOWN}
    row = (await connection.execute(_NEWEST_TIME, given)).one_or_none()
    if row is None:
        return None
    if row.paused:
        return _badge(row.name, "paused", "lightgrey")
    if row.due_at is None:
        return _badge(row.name, "not measured", "lightgrey")
    if row.failed:
        return _badge(row.name, "failed", "red").model_copy(update={"at": row.due_at})
    recall, precision = (row.services[name]["value"] for name in ("recall", "precision"))
    return _badge(row.name, f"recall {_ratio(recall)}", "blue").model_copy(
        update={"at": row.due_at, "recall": recall, "precision": precision}
    )


def _badge(label: str, message: str, color: str) -> Badge:
    return Badge.model_validate(
        {
            "label": printable(f"dry-run {label}", limit=60),
            "message": message,
            "color": color,
            "at": None,
            "recall": None,
            "precision": None,
            "passed": None,
        }
    )


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def draw(badge: Badge) -> str:
    """Return the badge as SVG: no script, no style, no reference to anything."""
    left, right = (round(len(each) * _CHARACTER + 14) for each in (badge.label, badge.message))
    label, message = escape(badge.label), escape(badge.message)
    colour = _COLOURS[badge.color]
    font = 'font-family="Verdana,DejaVu Sans,sans-serif" font-size="12" fill="#fff" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="22" role="img" '
        f'aria-label="{label}: {message}"><title>{label}: {message}</title>'
        f'<rect width="{left}" height="22" fill="#333a45"/>'
        f'<rect x="{left}" width="{right}" height="22" fill="{colour}"/>'
        f'<text x="{left / 2}" y="15" {font}>{label}</text>'
        f'<text x="{left + right / 2}" y="15" {font}>{message}</text></svg>\n'
    )


async def publish(connection: AsyncConnection, wanted: PublishRequest, person: str) -> PublishedBadge:
    """Let anybody who knows the address read a badge. Raises ProblemError: 404 for a schedule, 429."""
    await hold(connection, "published badges")
    if (await connection.scalar(select(func.count()).select_from(table)) or 0) >= MOST_PUBLISHED:
        raise ProblemError("too-many-badges", 429, f"{MOST_PUBLISHED} badges are published; withdraw one")
    if wanted.schedule_id is not None:
        held = select(schedules.c.id).where(schedules.c.id == wanted.schedule_id)
        if await connection.scalar(held.with_for_update(read=True, key_share=True)) is None:
            raise unknown("schedule", wanted.schedule_id, "/api/v1/dryrun/schedules")
    values = {"id": secrets.token_urlsafe(16), **wanted.model_dump(), "published_by": person}
    stored = await connection.execute(insert(table).values(**values).returning(table))
    return _view(stored.mappings().one())


async def withdraw(connection: AsyncConnection, badge_id: str) -> None:
    """Make a badge unreadable without signing in. Raises a 404 problem."""
    removed = await connection.execute(delete(table).where(table.c.id == badge_id))
    if removed.rowcount != 1:
        raise unknown_badge()


async def published(connection: AsyncConnection) -> list[PublishedBadge]:
    """Return all published badges, newest first."""
    found = await connection.execute(select(table).order_by(table.c.published_at.desc(), table.c.id))
    return [_view(row) for row in found.mappings()]


async def find_published(connection: AsyncConnection, badge_id: str) -> tuple[str | None, UUID | None]:
    """Return the template or the schedule of a published badge. Raises a 404 problem."""
    found = await connection.execute(
        select(table.c.template, table.c.schedule_id).where(table.c.id == badge_id)
    )
    row = found.one_or_none()
    if row is None:
        raise unknown_badge()
    return row.template, row.schedule_id


def unknown_badge() -> ProblemError:
    """Return the 404 problem, which is the same for a badge that was never published."""
    return ProblemError("unknown-badge", 404, "there is no such badge", title="Unknown badge")


def _view(row: RowMapping) -> PublishedBadge:
    return PublishedBadge.model_validate({**row, "path": f"/badges/{row['id']}.svg"})
