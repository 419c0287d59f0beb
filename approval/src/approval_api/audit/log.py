"""Writes a line for every command: in the transaction of what it did, or else before its answer is sent.

A request is a command when its method may change something and its route needs more than `read`, so a new
route cannot forget its line. Failed sign-ins, where nobody is authenticated, write their own. What is turned
away before a password or a provider's answer is verified (429, a link that is gone) writes none: strangers
could fill the log with it. A person's refusals beyond a rate are counted in one line.
"""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from approval_api.audit.entry import AuditOutcome, Entry, entry_of, keep, write
from approval_api.audit.refusals import Refusals
from approval_api.database.errors import DATABASE_ERRORS
from approval_api.identity.roles import Permission
from dryrun_contract.problem import Problem

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def note(request: Request, *, object_: str | None = None, detail: str | None = None) -> None:
    """Set the object of this command's line where the path does not name it, and a detail."""
    request.scope["audit_note"] = (object_, detail)


async def write_done(request: Request, connection: AsyncConnection) -> None:
    """Add the line of a command that succeeded, in its own transaction."""
    if _is_command(request.scope):
        await write(connection, _entry(request, AuditOutcome.DONE, None))


def note_stored(request: Request) -> None:
    """Note that the transaction with this command's line is committed: it needs no other."""
    request.scope["audited"] = True


def _is_command(scope: Scope) -> bool:
    changes_something = scope["method"] not in _SAFE and scope.get("person") is not None
    return changes_something and scope.get("permission") not in {None, Permission.READ}


def _entry(request: Request, outcome: AuditOutcome, problem: str | None) -> Entry:
    scope = request.scope
    object_, detail = scope.get("audit_note", (None, None))
    if object_ is None:
        object_ = "/".join(map(str, scope.get("path_params", {}).values())) or None
    return entry_of(
        request,
        getattr(scope.get("route"), "name", "unknown"),
        outcome,
        person=scope["person"],
        object_=object_,
        detail=problem or detail,
    )


class AuditLog:
    """ASGI middleware: writes the lines that no transaction wrote, before the answer is sent."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return

        async def send_when_written(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._write(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_when_written)
        except Exception:
            await self._write(scope, 500)
            raise

    async def _write(self, scope: Scope, status: int) -> None:
        if scope.get("audited") or not _is_command(scope):
            return
        scope["audited"] = True
        problem: Problem | None = scope.get("problem")
        if problem is not None:
            # A part of a page that shows it is answered with 200.
            status = problem.status
        outcome = (
            AuditOutcome.DONE
            if status < 400
            else AuditOutcome.REFUSED
            if status < 500
            else AuditOutcome.FAILED
        )
        request = Request(scope)
        entry = _entry(request, outcome, problem.type if problem else None)
        refusals: Refusals = request.app.state.refusals
        if outcome is AuditOutcome.REFUSED and not refusals.has_line(entry):
            return
        engine: AsyncEngine = request.app.state.engine
        try:
            async with engine.begin() as connection:
                await write(connection, entry)
        except DATABASE_ERRORS as error:
            # The command is over and cannot be taken back: its line goes where it can.
            keep(entry, error)
