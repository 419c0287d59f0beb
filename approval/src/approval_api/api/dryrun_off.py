"""Answers for a deployment that has dry-runs switched off."""

from fastapi import APIRouter

from approval_api.web.problems import ProblemError

router = APIRouter(include_in_schema=False)

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.api_route("", methods=_METHODS)
@router.api_route("/{_path:path}", methods=_METHODS)
async def refuse() -> None:
    """Answer 501 to everything."""
    raise ProblemError(
        "dryrun-disabled",
        501,
        "dry-runs are switched off in this deployment (APPROVAL_DRYRUN=off); an operator can switch them on",
        title="Dry-run is switched off",
    )
