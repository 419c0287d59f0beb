"""Shared by both lists of discoveries: filters in the address, rows, and decisions sent by a form.

Each area has routes, rows and repository of its own; nothing here knows a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import get_args
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from approval_api.discoveries.decisions import Decided, Decision
from approval_api.discoveries.dryrun.schemas import DryrunDiscoveryView
from approval_api.discoveries.life import Happened, Life
from approval_api.discoveries.listing import SortOrder, Status, Wanted
from approval_api.discoveries.production.schemas import ProductionView
from approval_api.identity.person import Person
from approval_api.pages.forms import Form
from approval_api.pages.rendering import Pages, see_other
from approval_api.pages.words import number
from approval_api.web.problems import ProblemError
from dryrun_contract.faults import first_fault
from dryrun_contract.kinds import KINDS
from dryrun_contract.text import counted

PER_PAGE = 50
SORTS: tuple[str, ...] = get_args(SortOrder.__value__)
_WORD = 200

type Row = DryrunDiscoveryView | ProductionView


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list, as the address gives them; an empty one filters nothing."""

    search: str = ""
    kind: str = ""
    status: str = ""
    collector: str = ""
    session: str = ""
    changed: str = ""
    change: str = ""
    happened: str = ""
    since: str = ""
    until: str = ""
    sort: str = "newest"
    cursor: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """Read the filters from an address; values that no page would send are ignored."""
        given = {
            each.name: query.get(each.name, "").replace("\x00", "").strip()[:_WORD]
            for each in fields(cls)
            if each.name != "cursor"
        }
        given["search"] = given["search"][:100]
        allowed = {
            "kind": KINDS,
            "status": list(Status),
            "changed": ["yes"],
            "change": list(Life),
            "happened": list(Life),
            "sort": SORTS,
        }
        for name, values in allowed.items():
            if given[name] not in values:
                given[name] = ""
        given["session"] = _uuid(given["session"])
        given |= {name: _time(given[name]) for name in ("since", "until")}
        if not (given["happened"] and given["since"]):
            given |= {"happened": "", "since": "", "until": ""}
        return cls(**{**given, "sort": given["sort"] or "newest"}, cursor=query.get("cursor", ""))

    def of_dryruns(self) -> "Filters":
        """Return the filters without those that only production has."""
        return replace(self, changed="", change="", happened="", since="", until="")

    def wanted(self) -> Wanted:
        """Return the filters as a query on the list."""
        return Wanted(
            sort=self.sort,  # type: ignore[arg-type]  # one of SORTS
            limit=PER_PAGE,
            cursor=self.cursor or None,
            session_id=UUID(self.session) if self.session else None,
            kind=self.kind or None,
            status=Status(self.status) if self.status else None,
            collector=self.collector or None,
            changed=True if self.changed else None,
            change=Life(self.change) if self.change else None,
            happened=Happened(Life(self.happened), *self.times) if self.happened else None,
            search=self.search or None,
        )

    @property
    def times(self) -> tuple[datetime, datetime | None]:
        """Return since when, and until when, something happened; only for filters with `happened`."""
        return datetime.fromisoformat(self.since), datetime.fromisoformat(self.until) if self.until else None

    def query(self, **changes: str) -> str:
        """Return the address' query with `changes`; without a new cursor it starts at the first page."""
        changed = replace(self, **{"cursor": "", **changes})
        given = {each.name: getattr(changed, each.name) for each in fields(self)}
        return "?" + urlencode({name: value for name, value in given.items() if value and value != "newest"})

    def turned(self, column: str) -> str:
        """Return the order that a click on a column's head selects."""
        return f"-{column}" if self.sort == column else column

    @property
    def narrow(self) -> bool:
        """Return whether any filter but the session is set."""
        given = (
            self.search,
            self.kind,
            self.status,
            self.collector,
            self.changed,
            self.change,
            self.happened,
        )
        return any(given)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _time(text: str) -> str:
    try:
        time = datetime.fromisoformat(text)
        return "" if time.tzinfo is None else time.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return ""


def read_decision(form: Form) -> Decision:
    """Return a form's decision: on the pressed button's row or on all selected rows. Raises a 422 problem."""
    one = form.one("one")
    wanted, _, seen = one.partition(" ")
    chosen = [seen] if one else form.all("seen")
    if not chosen:
        raise ProblemError(
            "nothing-selected",
            422,
            "select discoveries, or use the buttons in their rows",
            title="Nothing is selected",
        )
    pairs = [each.partition(":") for each in chosen]
    try:
        return Decision.model_validate(
            {
                "decision": wanted if one else form.one("decision"),
                "note": form.one("note"),
                "discoveries": [{"id": row, "revision": revision} for row, _, revision in pairs],
            }
        )
    except ValidationError as error:
        raise ProblemError(
            "invalid-request",
            422,
            f"{first_fault(error, '')}; load the list again and repeat it",
            title="The decision could not be read",
        ) from error


def decision_message(decision: Decision, decided: Decided) -> str:
    """Return the outcome of a decision as a sentence for the page."""
    words = {"approved": "approved", "rejected": "rejected", "pending": "open again"}
    sentence = f"{counted(len(decided.decided), 'discovery', 'discoveries')} {words[decision.decision]}."
    if count := len(decided.changed):
        them = "it" if count == 1 else "them"
        sentence += f" {number(count)} changed after you loaded this page. Review {them} again."
    if count := len(decided.unknown):
        sentence += f" {number(count)} no longer {'exists' if count == 1 else 'exist'}."
    return sentence


def answer_decision(
    request: Request,
    visitor: Person,
    form: Form,
    rows: Sequence[Row],
    message: str,
    *,
    area: str,
) -> Response:
    """Return the rows as they are now, for htmx; without a script, a redirect to the list."""
    if request.headers.get("hx-request") == "true":
        pages: Pages = request.app.state.pages
        return HTMLResponse(
            pages.render("discoveries/decided.html", rows=rows, visitor=visitor, message=message, area=area)
        )
    back = Filters.of(_fields(form)).query()
    return see_other(f"/{area}/discoveries{back}")


def _fields(form: Form) -> dict[str, str]:
    """Return the filters that the list's form sends along."""
    return {each.name: form.one(f"was_{each.name}") for each in fields(Filters) if each.name != "cursor"}
