"""Pages: what sessions of one template measured over time; publishing of badges."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Administrator, Reader, require_no_token
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.pages.forms import SentForm, validated
from approval_api.pages.rendering import page, see_other
from approval_api.pages.trend_charts import charts
from approval_api.trends import badges, reading
from dryrun_contract.trend import PublishRequest, Trend

router = APIRouter(prefix="/dryrun", include_in_schema=False)


@router.get("/trends")
async def show_trends(
    request: Request, visitor: Reader, _turn: ListTurn, template: str = "", collector: str = ""
) -> Response:
    """Show the trends of one template, of all its collectors together or of one alone."""
    async with request.app.state.engine.connect() as connection:
        templates = await reading.templates(connection)
        # What no page would send shows the first one.
        template = template if template in templates else next(iter(templates), "")
        collectors = sorted(await reading.collectors(connection, template))
        collector = collector if collector in collectors else ""
        trend = (
            await reading.of_template(connection, template, collector or None)
            if template
            else Trend(points=())
        )
        published = [each for each in await badges.published(connection) if each.template == template]
    return page(
        request,
        "trends/trends.html",
        visitor,
        templates=templates,
        template=template,
        collectors=collectors,
        collector=collector,
        trend=trend,
        charts=charts(trend),
        published=published,
    )


async def _wanted_badge(request: Request, form: SentForm) -> PublishRequest:
    # A dependency after the permission, so that no transaction is open while the orchestrator is asked.
    require_no_token(request.scope["admitted"])
    wanted = validated(
        PublishRequest,
        {name: form.one(name) or None for name in ("template", "schedule_id")},
        "This is not a badge",
    )
    if wanted.template is not None:
        state = request.app.state
        await reading.require_template(state.engine, state.orchestrator, wanted.template)
    return wanted


@router.post("/badges", name="publish_badge")
async def publish_badge(
    request: Request,
    visitor: Administrator,
    wanted: Annotated[PublishRequest, Depends(_wanted_badge)],
    transaction: Transaction,
) -> Response:
    """Publish a badge and go back to its page."""
    badge = await badges.publish(transaction, wanted, visitor.name)
    note(request, object_=f"badge of {wanted.template or wanted.schedule_id}")
    return _back_to(badge.template, badge.schedule_id)


@router.post("/badges/{badge_id}/withdraw", name="withdraw_badge")
async def withdraw_badge(
    badge_id: Annotated[str, Path(pattern=badges.ID)], _: Administrator, transaction: Transaction
) -> Response:
    """Make a badge unreadable without signing in."""
    template, schedule_id = await badges.find_published(transaction, badge_id)
    await badges.withdraw(transaction, badge_id)
    return _back_to(template, schedule_id)


def _back_to(template: str | None, schedule_id: UUID | None) -> Response:
    where = f"trends?template={template}" if schedule_id is None else f"schedules/{schedule_id}"
    return see_other(f"/dryrun/{where}")
