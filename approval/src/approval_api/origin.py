"""Whether a page of ours sent a request: browsers add cookies to what other sites make them send."""

import hmac

from fastapi import Request

from approval_api.settings import Settings
from approval_api.web.problems import ProblemError

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM = "application/x-www-form-urlencoded"


def _cross_site(why: str) -> ProblemError:
    return ProblemError(
        "csrf", 403, f"{why}; load the page again and repeat what you did", title="Not sent by a page of ours"
    )


def require_same_origin(request: Request) -> None:
    """Raise a 403 problem when the browser says that another site made it send this.

    What sends neither header is no browser of the last years, and has no cookies that others could use.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise _cross_site(f"the request came from a {site} page")
        return
    # Browsers leave that header away where the page came by plain http from another machine.
    origin = request.headers.get("origin")
    if origin is not None and origin != own_origin(request):
        raise _cross_site("the request came from a page of another address")


def own_origin(request: Request) -> str:
    """Return where our own pages are, as browsers write it."""
    settings: Settings = request.app.state.settings
    url = settings.public_url
    if url is None:
        return f"{request.url.scheme}://{request.headers.get('host', '')}"
    default = {"http": 80, "https": 443}[url.scheme]
    return f"{url.scheme}://{url.host}" + ("" if url.port in {None, default} else f":{url.port}")


def require_csrf_header(request: Request, expected: str) -> bool:
    """Let a cookie's request change something only when it carries what pages of the same login know.

    It stands in the header `X-CSRF-Token` (scripts) or in the form field `csrf_token`. Return whether the
    field has yet to show it: this does not read the body.
    """
    if request.method in SAFE_METHODS:
        return False
    require_same_origin(request)
    shown = request.headers.get(CSRF_HEADER)
    if shown is None and request.headers.get("content-type", "").startswith(_FORM):
        return True
    _require_equal(shown, expected)
    return False


async def require_csrf_field(request: Request, expected: str) -> None:
    """Raise a 403 problem when the form does not carry what pages of the same login know."""
    _require_equal((await request.form()).get(CSRF_FIELD), expected)


def _require_equal(shown: object, expected: str) -> None:
    if not isinstance(shown, str) or not hmac.compare_digest(
        shown.encode("utf-8", "replace"), expected.encode()
    ):
        raise _cross_site(f"{CSRF_HEADER} or the form field {CSRF_FIELD} is missing or of another login")


def own_path(wanted: str) -> str:
    r"""Return `wanted` when it is a path of ours, else the overview: signing in leads nowhere else.

    >>> [own_path(wanted) for wanted in ("/audit?a=1", "//evil.example", "/\\evil.example", "https:x", "")]
    ['/audit?a=1', '/', '/', '/', '/']
    """
    if not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return "/"
    return wanted
