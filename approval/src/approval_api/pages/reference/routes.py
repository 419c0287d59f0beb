"""Page: the API's reference, to read and to try as who is signed in."""

import re

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import iter_route_contexts

from approval_api.access.permission import Reader, permission_of
from approval_api.pages.reference.reading import operations_of, tags_of
from approval_api.pages.rendering import page

router = APIRouter(include_in_schema=False)

_CONVERTER = re.compile(r":\w+(?=\})")
"""As in `{discovery_id:int}`; the document has the name alone."""


@router.get("/reference")
async def show_reference(request: Request, visitor: Reader, tag: str = "") -> Response:
    """Show one group of operations: what each needs, takes and answers, with a form to send it."""
    app: FastAPI = request.app
    document = app.openapi()
    tags = tags_of(document)
    tag = tag if tag in tags else "sessions" if "sessions" in tags else tags[0]
    permissions = {
        (method, _CONVERTER.sub("", route.path or "")): permission.value
        for route in iter_route_contexts(app.routes)
        if route.path != app.openapi_url and (permission := permission_of(route.dependant)) is not None
        for method in route.methods or ()
    }
    operations = operations_of(document, tag, permissions)
    return page(request, "reference/reference.html", visitor, tags=tags, tag=tag, operations=operations)
