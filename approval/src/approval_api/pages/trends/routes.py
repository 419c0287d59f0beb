"""Page: what sessions of one template measured over time."""

from fastapi import APIRouter, Request, Response

from approval_api.access.permission import Reader
from approval_api.pages.rendering import page
from approval_api.pages.trend_charts import charts
from approval_api.trends import reading
from dryrun_contract.trend import Trend

router = APIRouter(prefix="/dryrun/trends", include_in_schema=False)


@router.get("")
async def show_trends(request: Request, visitor: Reader, template: str = "", collector: str = "") -> Response:
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
    )
