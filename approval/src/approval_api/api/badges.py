"""Routes: badges of templates and schedules, for those signed in; and those that are published, for all."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.access.permission import OPEN, Administrator, Reader, require_no_token
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.schedules.service import unknown_schedule
from approval_api.trends import badges, reading
from dryrun_contract.template import TEMPLATE_ID
from dryrun_contract.trend import Badge, PublishedBadge, PublishedBadges, PublishRequest

router = APIRouter(tags=["badges"])
open_router = APIRouter(prefix="/badges", tags=["badges"], dependencies=[OPEN])

type _Shape = Literal["json", "svg"]

BadgeShape = Annotated[_Shape, Query(alias="format")]
BadgeId = Annotated[str, Path(pattern=badges.ID)]
_SVG = "image/svg+xml"
_ANSWERS: dict[int | str, dict[str, object]] = {200: {"content": {_SVG: {"schema": {"type": "string"}}}}}
_STRICT = {"Content-Security-Policy": "sandbox; default-src 'none'"}
_FOR_ALL = {
    "Cache-Control": "public, max-age=60",
    # A wiki or a repository's page shows it.
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def _answer(badge: Badge, shape: _Shape, headers: dict[str, str]) -> Response:
    if shape == "svg":
        return Response(badges.draw(badge), media_type=_SVG, headers=_STRICT | headers)
    return Response(badge.model_dump_json(), media_type="application/json", headers=headers)


async def _of_schedule(transaction: AsyncConnection, schedule_id: UUID) -> Badge:
    badge = await badges.of_schedule(transaction, schedule_id)
    if badge is None:
        raise unknown_schedule(schedule_id)
    return badge


async def _known_template(request: Request, template_id: Annotated[str, Path(pattern=TEMPLATE_ID)]) -> str:
    await reading.require_template(request.app.state.engine, request.app.state.orchestrator, template_id)
    return template_id


@router.get("/templates/{template_id}/badge", response_model=Badge, responses=_ANSWERS)
async def show_template_badge(
    _: Reader,
    template_id: Annotated[str, Depends(_known_template)],
    transaction: Transaction,
    shape: BadgeShape = "json",
) -> Response:
    """Show how a template's newest scored session came out."""
    return _answer(await badges.of_template(transaction, template_id), shape, {})


@router.get("/schedules/{schedule_id}/badge", response_model=Badge, responses=_ANSWERS)
async def show_schedule_badge(
    schedule_id: UUID, _: Reader, transaction: Transaction, shape: BadgeShape = "json"
) -> Response:
    """Show how a schedule's newest run came out."""
    return _answer(await _of_schedule(transaction, schedule_id), shape, {})


async def _of_known_template(request: Request, wanted: PublishRequest) -> PublishRequest:
    # A dependency after the permission, so that no transaction is open while the orchestrator is asked.
    require_no_token(request.scope["admitted"])
    if wanted.template is not None:
        await _known_template(request, wanted.template)
    return wanted


@router.post("/badges", status_code=201)
async def publish_badge(
    request: Request,
    person: Administrator,
    wanted: Annotated[PublishRequest, Depends(_of_known_template)],
    transaction: Transaction,
) -> PublishedBadge:
    """Publish a badge: whoever knows its address can read it without signing in."""
    badge = await badges.publish(transaction, wanted, person.name)
    note(request, object_=f"badge of {wanted.template or wanted.schedule_id}")
    return badge


@router.get("/badges")
async def list_badges(_: Administrator, transaction: Transaction) -> PublishedBadges:
    """List published badges, newest first."""
    return PublishedBadges(badges=tuple(await badges.published(transaction)))


@router.delete("/badges/{badge_id}", status_code=204)
async def withdraw_badge(badge_id: BadgeId, _: Administrator, transaction: Transaction) -> None:
    """Withdraw a badge: its address answers 404."""
    await badges.withdraw(transaction, badge_id)


@open_router.get("/{badge_id}.{shape}", response_model=Badge, responses=_ANSWERS)
async def show_published_badge(
    badge_id: BadgeId, shape: Annotated[_Shape, Path()], request: Request, transaction: Transaction
) -> Response:
    """Show a published badge. One that is not published answers 404."""
    template, schedule_id = await badges.find_published(transaction, badge_id)
    kept: badges.KeptBadges = request.app.state.kept_badges
    badge = kept.find(badge_id)
    if badge is None:
        if template is not None:
            badge = await badges.of_template(transaction, template)
        else:
            assert schedule_id is not None
            badge = await _of_schedule(transaction, schedule_id)
        kept.keep(badge_id, badge)
    return _answer(badge, shape, _FOR_ALL)
