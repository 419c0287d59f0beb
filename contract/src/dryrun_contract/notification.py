"""Notifications: which events are sent to a person, and where."""

import re
from typing import Annotated, Literal, Self, get_args
from uuid import UUID

from pydantic import Field, TypeAdapter, model_validator

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.delivery import require_plain_url

type ChannelKind = Literal["email", "webhook", "slack", "teams", "matrix", "apprise"]
type Occasion = Literal[
    "session_failed",
    "verdict_changed",
    "recall_regressed",
    "targets_harmed",
    "cleanup_late",
    "schedule_stopped",
    "delivery_stuck",
    "credential_expiring",
]
OCCASIONS: tuple[Occasion, ...] = get_args(Occasion.__value__)

type _Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]
_MAIL = r"^[A-Za-z0-9._%+-]{1,64}@[a-z0-9.-]{1,190}$"
_MATRIX_ROOM = r"https?://[^/?#]+/![A-Za-z0-9._~=+/-]{1,200}(:[A-Za-z0-9.:\[\]-]{1,200})?"
_APPRISE = r"https?://[^/?#]+(/[^?#]*)?/notify/[A-Za-z0-9_-]{1,128}/?"
_MAIL_ADDRESS = TypeAdapter(Annotated[str, Field(pattern=_MAIL)])


class ChannelRequest(Word):
    """Where one person is notified of which occasions, and when not."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", examples=["on-call"])
    kind: ChannelKind
    address: str = Field(max_length=500, examples=["https://hooks.example.com/discovery"])
    """A mail address, the address that a webhook is sent to, a homeserver and the id of a room there, or the
    address of a configuration of an Apprise API."""
    occasions: tuple[Occasion, ...] = Field(min_length=1, max_length=len(OCCASIONS))
    everybody: bool = False
    """Whether to include what others started, not only one's own."""
    quiet_from: _Clock | None = None
    quiet_to: _Clock | None = None
    """Nothing is sent between the two, by the wall clock of `timezone`; it waits until then."""
    timezone: str = Field(default="UTC", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")
    gather_minutes: int = Field(default=0, ge=0, le=1440)
    """How long to gather what happens into one message."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet hours have a beginning and an end; give both, or none")
        if self.kind == "email":
            _MAIL_ADDRESS.validate_python(self.address)
        else:
            require_plain_url(self.address)
        if self.kind == "matrix" and not re.fullmatch(_MATRIX_ROOM, self.address):
            raise ValueError("a room of Matrix is https://HOMESERVER/!ROOM:SERVER, with the room's id")
        if self.kind == "apprise" and not re.fullmatch(_APPRISE, self.address):
            raise ValueError("a configuration of an Apprise API is https://HOST/notify/KEY")
        return self


class ChannelView(Word):
    """A channel as its owner sees it."""

    id: UUID
    request: ChannelRequest
    created_at: UtcTime
    waiting: int
    """Messages not sent yet."""
    answer: str | None
    """The receiver's last answer."""
    answered_at: UtcTime | None


class NewChannel(Word):
    """A channel that was just added."""

    channel: ChannelView
    signing_key: str | None
    """A webhook's, by Standard Webhooks; shown only once."""
