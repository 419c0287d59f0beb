"""Badges: how the newest measured session or time came out, as a picture of a few words.

Signed-in people read each; others only those that an administrator published, at an address nobody guesses.
"""

import secrets
from html import escape
from uuid import UUID

from sqlalchemy import RowMapping, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import published_badges as table
from approval_api.web.problems import ProblemError
from dryrun_contract.schedule import Schedule
from dryrun_contract.text import printable
from dryrun_contract.trend import Badge, PublishedBadge, PublishRequest

MOST_PUBLISHED = 200
ID = r"^[A-Za-z0-9_-]{22}$"
_COLOURS = {"green": "#0d6b3f", "red": "#b0211b", "blue": "#1f5ad6", "lightgrey": "#566072"}
_CHARACTER = 7.2
"""Width of a character in pixels, at 12 pixels, generously."""

_NEWEST = text("""
SELECT s.requested_at, r.figures FROM gateway.dryrun_sessions s
JOIN gateway.dryrun_reports r ON r.session_id = s.id
WHERE s.template = :template AND r.final AND r.failure IS NULL AND r.figures ->> 'recall' IS NOT NULL
ORDER BY s.requested_at DESC, s.id DESC LIMIT 1
""")


async def of_template(connection: AsyncConnection, template: str) -> Badge:
    """Return the badge of a template's newest scored session."""
    row = (await connection.execute(_NEWEST, {"template": template})).one_or_none()
    if row is None:
        return _badge(template, "not measured", "lightgrey")
    measures = row.figures.get("measures") or {}
    recall, precision, passed = measures.get("recall"), measures.get("precision"), row.figures.get("passed")
    word = "" if passed is None else ", passed" if passed else ", failed"
    colour = "blue" if passed is None else "green" if passed else "red"
    badge = _badge(template, f"recall {_ratio(recall)}{word}", colour)
    return badge.model_copy(
        update={"at": row.requested_at, "recall": recall, "precision": precision, "passed": passed}
    )


def of_schedule(schedule: Schedule) -> Badge:
    """Return the badge of a schedule's newest time: its baseline, or that it failed or is paused."""
    name = schedule.request.experiment.name
    if schedule.next_at is None:
        return _badge(name, "paused", "lightgrey")
    for firing in schedule.firings:
        if firing.state == "failed":
            return _badge(name, "failed", "red").model_copy(update={"at": firing.due_at})
        if firing.arms and firing.arms[0].services.value is not None:
            first = firing.arms[0]
            precision = first.measured.get("precision")
            return _badge(name, f"recall {_ratio(first.services.value)}", "blue").model_copy(
                update={
                    "at": firing.due_at,
                    "recall": first.services.value,
                    "precision": precision.value if precision else None,
                }
            )
    return _badge(name, "not measured", "lightgrey")


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
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('published badges'))"))
    if (await connection.scalar(select(func.count()).select_from(table)) or 0) >= MOST_PUBLISHED:
        raise ProblemError("too-many-badges", 429, f"{MOST_PUBLISHED} badges are published; withdraw one")
    values = {"id": secrets.token_urlsafe(16), **wanted.model_dump(), "published_by": person}
    stored = await connection.execute(insert(table).values(**values).returning(table))
    return _view(stored.mappings().one())


async def withdraw(connection: AsyncConnection, badge_id: str) -> None:
    """Let nobody read it without signing in any more. Raises a 404 problem."""
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
