"""The output of a collector: one JSON object per line, the last one an end line."""

from operator import not_
from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter, field_validator

from dryrun_contract.base import Word
from dryrun_contract.bounded_json import JsonBounds
from dryrun_contract.network import MAX_NETWORKS, Network
from dryrun_contract.resource_key import ResourceKey

MAX_LINE_BYTES = 64 * 1024
"""A longer line of a collector is a warning, not a discovery."""
LINE_BOUNDS = JsonBounds(size=MAX_LINE_BYTES, values=16_384, depth=16, key_length=4096)
"""A line beyond them is a warning too. The widest line of our own collectors (1,000 columns with their types
and 100 foreign keys of 32 columns) has 8,009 values at a depth of 5; a name of 200 characters takes up to
2,000 when it is escaped to ASCII."""


class Discovery(Word):
    """One thing that a collector found. Reported twice (same kind and key) it is one thing."""

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    key: str = Field(min_length=1, max_length=1000)
    data: dict[str, JsonValue] = Field(default_factory=dict)
    confidence: float = Field(default=1.0, ge=0, le=1)

    @field_validator("key")
    @classmethod
    def _key_has_the_natural_shape(cls, key: str) -> str:
        ResourceKey.parse(key)
        return key


class DiscoveryLine(Discovery):
    """`{"type":"discovery","kind":"service","key":"10.213.0.3:5432/tcp","data":{…},"confidence":0.9}`."""

    type: Literal["discovery"] = "discovery"

    def discovery(self) -> Discovery:
        """Return the discovery without the line's type."""
        return Discovery(kind=self.kind, key=self.key, data=self.data, confidence=self.confidence)


class ProgressLine(Word):
    """`{"type":"progress","done":3,"total":20,"message":"…"}`; `total` is absent while unknown."""

    type: Literal["progress"] = "progress"
    done: int = Field(ge=0)
    total: int | None = Field(default=None, ge=0)
    message: str = Field(default="", max_length=500)


class WarningLine(Word):
    """`{"type":"warning","message":"…"}`: something that the collector could not inspect."""

    type: Literal["warning"] = "warning"
    message: str = Field(max_length=500)


class EndLine(Word):
    """`{"type":"end","discoveries":57}`: the last line; a scan without it is incomplete."""

    type: Literal["end"] = "end"
    discoveries: int = Field(ge=0)
    not_covered: Annotated[tuple[Network, ...], Field(max_length=MAX_NETWORKS, exclude_if=not_)] = ()
    """What of its targets it did not look at, such as the machine that it ran on. Readers of an older
    contract refuse it, so it is written only when there is something."""


type CollectorLine = Annotated[
    DiscoveryLine | ProgressLine | WarningLine | EndLine, Field(discriminator="type")
]
COLLECTOR_LINE: TypeAdapter[CollectorLine] = TypeAdapter(CollectorLine)
"""Parses one line: `COLLECTOR_LINE.validate_json(line)`; raises pydantic.ValidationError."""
