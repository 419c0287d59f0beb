"""Pages: sign in and out, and take an invitation."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from approval_api.access.authentication import find_person
from approval_api.access.permission import OPEN, AccountOwner
from approval_api.pages.forms import SentForm
from approval_api.pages.rendering import page, see_other
from approval_api.people import sign_in as sign_ins
from approval_api.settings import Settings
from approval_api.web.origin import own_path
from approval_api.web.problems import ProblemError

router = APIRouter(include_in_schema=False)


def _openid(request: Request) -> str | None:
    """Return what a sign-in at a provider is called here, None where there is none."""
    settings: Settings = request.app.state.settings
    return settings.openid.title if settings.openid is not None else None


@router.get("/sign-in", dependencies=[OPEN])
async def show_sign_in(
    request: Request, wanted: Annotated[str, Query(alias="next", max_length=2000)] = "/"
) -> Response:
    """Ask for name and password; who is signed in already goes on."""
    if await find_person(request) is not None:
        return see_other(own_path(wanted))
    return page(
        request,
        "sign_in/sign_in.html",
        None,
        wanted=own_path(wanted),
        name="",
        problem=None,
        openid=_openid(request),
    )


@router.post("/sign-in", dependencies=[OPEN])
async def sign_in(request: Request, form: SentForm) -> Response:
    """Sign in and go on to the page that asked for it."""
    wanted = own_path(form.one("next", "/"))
    answer = see_other(wanted)
    name = form.one("name")
    try:
        await sign_ins.sign_in(request, answer, name, form.raw("password"))
    except ProblemError as error:
        return page(
            request,
            "sign_in/sign_in.html",
            None,
            status=error.problem.status,
            headers=error.headers,
            wanted=wanted,
            name=name,
            problem=error.problem,
            openid=_openid(request),
        )
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, visitor: AccountOwner) -> Response:
    """End this browser's login."""
    answer = see_other("/sign-in")
    await sign_ins.sign_out(request, answer, visitor)
    return answer


@router.get("/invitation", dependencies=[OPEN])
async def show_invitation(
    request: Request, secret: Annotated[str, Query(min_length=1, max_length=200)]
) -> Response:
    """Ask an invited person for the password they want."""
    return page(request, "sign_in/invitation.html", None, secret=secret, problem=None)


@router.post("/invitation", dependencies=[OPEN])
async def take_invitation(request: Request, form: SentForm) -> Response:
    """Store the password and be signed in."""
    answer = see_other("/")
    secret = form.one("secret")
    try:
        await sign_ins.take_invitation(request, answer, secret, form.raw("password"))
    except ProblemError as error:
        return page(
            request,
            "sign_in/invitation.html",
            None,
            status=error.problem.status,
            secret=secret,
            problem=error.problem,
        )
    return answer
