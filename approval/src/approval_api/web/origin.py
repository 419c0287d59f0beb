"""Where a request comes from: its address, and whether one of our own pages sent it.

Browsers add cookies to requests that other sites make them send.
"""

import hmac

from fastapi import Request
from pydantic import HttpUrl

from approval_api.web.problems import ProblemError

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM = "application/x-www-form-urlencoded"


def address_of(request: Request) -> str:
    """Return the address that a request comes from, as far as this service can know it."""
    return request.client.host if request.client is not None else "unknown"


def _cross_site(why: str) -> ProblemError:
    return ProblemError(
        "csrf", 403, f"{why}; reload the page and try again", title="Not sent by one of our pages"
    )


def require_same_origin(request: Request) -> None:
    """Raise a 403 problem when the browser states that another site made it send this.

    A client that sends neither header is not a recent browser, and has no cookies that others could use.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise _cross_site(f"the request came from a {site} page")
        return
    # Browsers omit that header when the page came over plain http from another machine.
    origin = request.headers.get("origin")
    if origin is not None and origin != own_origin(request):
        raise _cross_site("the request came from a page of another address")


def own_origin(request: Request) -> str:
    """Return the origin of our own pages, as browsers write it."""
    url: HttpUrl | None = request.app.state.settings.public_url
    if url is None:
        return f"{request.url.scheme}://{request.headers.get('host', '')}"
    default = {"http": 80, "https": 443}[url.scheme]
    return f"{url.scheme}://{url.host}" + ("" if url.port in {None, default} else f":{url.port}")


def require_csrf_header(request: Request, expected: str) -> bool:
    """Raise a 403 problem unless a cookie's request that may change something carries its login's CSRF token.

    The token is in the header `X-CSRF-Token` (scripts) or in the form field `csrf_token`. Return whether the
    field still has to be checked: this does not read the body.
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
    """Raise a 403 problem when the form does not carry the login's CSRF token."""
    _require_equal((await request.form()).get(CSRF_FIELD), expected)


def _require_equal(shown: object, expected: str) -> None:
    if not isinstance(shown, str) or not hmac.compare_digest(
        shown.encode("utf-8", "replace"), expected.encode()
    ):
        raise _cross_site(
            f"this comes from another login, or without {CSRF_HEADER} or the form field {CSRF_FIELD}"
        )


def own_path(wanted: str) -> str:
    r"""Return `wanted` if it is a path of this service, else the overview; nothing redirects elsewhere.

    >>> [own_path(wanted) for wanted in ("/audit?a=1", "//evil.example", "/\\evil.example", "https:x", "")]
    ['/audit?a=1', '/', '/', '/', '/']
    """
    if not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return "/"
    return wanted
