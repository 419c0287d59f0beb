"""Deliveries: approved production discoveries on their way to systems of record."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, HttpUrl, TypeAdapter, model_validator

from dryrun_contract.base import UtcTime, Word

MOST_ITEMS = 20_000
"""Items of one delivery; further ones come with the next."""

type DestinationKind = Literal["webhook", "netbox", "diode", "ndjson", "csv", "servicenow"]
type FileFormat = Literal["ndjson", "csv", "servicenow"]
FILE_KINDS: Mapping[DestinationKind, FileFormat] = {
    "ndjson": "ndjson",
    "csv": "csv",
    "servicenow": "servicenow",
}
"""Somebody fetches these, in this format by default; to the others the service sends by itself."""
TAKE_NO_REMOVALS: frozenset[DestinationKind] = frozenset({"servicenow", "diode"})
"""Neither the payload of ServiceNow's identification nor Diode's has a place for what is gone."""
ONE_OBJECT_FOR_ALL: frozenset[DestinationKind] = frozenset({"netbox"})
"""These have one object for what several collectors found."""

type Action = Literal["create", "change", "leave", "remove"]
type ItemState = Literal[
    "checking", "planned", "waiting", "delivered", "dead", "withdrawn", "superseded", "discarded"
]
type DeliveryState = Literal["checking", "planned", "discarded", "sending", "stuck", "done"]

type _Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
type _Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_URL = TypeAdapter(HttpUrl)


def require_plain_url(url: str) -> None:
    """Raise ValueError for what is no HTTP URL, or contains a user name or a password: it is shown."""
    parsed = _URL.validate_python(url)
    if parsed.username is not None or parsed.password is not None:
        raise ValueError(
            "a URL must not contain a user name or a password; credentials are configured separately"
        )


class DestinationRequest(Word):
    """Where approved discoveries go. Credentials are named here and kept by the process that delivers."""

    name: _Name = Field(examples=["netbox"])
    kind: DestinationKind
    url: str | None = Field(default=None, max_length=500, examples=["https://netbox.example.com"])
    """The webhook's address, or where NetBox's pages or Diode are; null for files. Its path is shown to
    administrators alone."""
    credential: _Name | None = Field(default=None, examples=["netbox-token"])
    """The name of the credential: a webhook's signing secret, NetBox's token, Diode's client; null for
    files."""
    kinds: tuple[_Kind, ...] = Field(default=(), max_length=40, examples=[["host", "service"]])
    """The kinds of discoveries that go there; all of them when empty."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind in FILE_KINDS:
            if self.url is not None or self.credential is not None:
                raise ValueError(
                    f"a destination of kind {self.kind} is a file: it has no url and no credential"
                )
            return self
        if self.url is None or self.credential is None:
            raise ValueError(f"a destination of kind {self.kind} needs a url and the name of a credential")
        require_plain_url(self.url)
        return self

    @property
    def place(self) -> str | None:
        """Return scheme, host and port of the url; None for files."""
        if self.url is None:
            return None
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def without_path(self) -> Self:
        """Return it with the place alone as its url: the path of a hook may be its only secret."""
        return self.model_copy(update={"url": self.place})


class DestinationCheck(Word):
    """Whether a destination answers to its credential; nothing is sent that it would keep."""

    requested_at: UtcTime
    answered_at: UtcTime | None = None
    """Null until the process that delivers has checked it; it leaves alone what waited for minutes."""
    passed: bool | None = None
    answer: str | None = None
    """What was seen, or what is wrong."""


class DestinationView(Word):
    """A destination as clients see it."""

    id: UUID
    request: DestinationRequest
    created_by: str
    created_at: UtcTime
    check: DestinationCheck | None = None
    """The newest; null for files, and where none was requested."""


class Counts(Word):
    """Items of a delivery by what is done with them, and by what became of them."""

    create: int = 0
    change: int = 0
    remove: int = 0
    """Gone, as somebody approved: the destination is informed, and nothing is deleted there."""
    leave: int = 0
    """Looked up and left alone: the destination has it already."""
    checking: int = 0
    planned: int = 0
    waiting: int = 0
    delivered: int = 0
    dead: int = 0
    """Given up; a person can have them sent again."""
    withdrawn: int = 0
    """Changed or no longer approved since the preview, so not sent."""
    superseded: int = 0
    """Given up, and contained in a later delivery."""
    discarded: int = 0


class DeliveryView(Word):
    """A delivery: what a preview froze, whether somebody approved it, and how far it got."""

    id: UUID
    destination_id: UUID
    destination: str
    kind: DestinationKind
    place: str | None = None
    """Scheme, host and port of where it goes; null for files."""
    state: DeliveryState
    requested_by: str
    requested_at: UtcTime
    approved_by: str | None
    approved_at: UtcTime | None
    unchanged: int
    """Approved discoveries that are at the destination as they are, so not in this delivery."""
    more: bool
    """There is more than fits into one delivery; request another when this one is done."""
    counts: Counts
    rests_until: UtcTime | None = None
    """Nothing is sent before: its destination did not answer, or asked for that. Null: something may be."""


class DeliveryItem(Word):
    """One discovery on its way."""

    id: int
    discovery_id: int
    kind: str
    key: str
    revision: int
    action: Action
    state: ItemState
    attempts: int
    answer: str | None
    """What the other side said last, or why nothing was sent."""
    answered_at: UtcTime | None
    reference: str | None
    """What the other side calls it."""


class DeliveryItems(Word):
    """Items in the order of sending. `next` is the cursor of the next page, null after the last."""

    items: tuple[DeliveryItem, ...]
    next: str | None
