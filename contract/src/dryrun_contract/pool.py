"""The warm pool: sessions prepared ahead, or their networks, which a start claims by its id."""

from typing import Final
from uuid import UUID

from pydantic import Field

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.fleet import MAX_HOSTS, HostName
from dryrun_contract.session import MAX_SEED
from dryrun_contract.template import TEMPLATE_ID

MAX_PREPARED = 50
ANY_TEMPLATE: Final = "*"
"""Stands for the template of a network that any template can take: it is proved, and has no targets yet."""
PREPARED_FOR = rf"^\*$|{TEMPLATE_ID}"


class PreparedSession(Word):
    """A session, prepared as far as its line says, that nobody has claimed. Requesting its id claims it."""

    id: UUID
    prepared_at: UtcTime
    expires_at: UtcTime
    """Its deadline, which stays when it is claimed."""


class PoolLine(Word):
    """What the pool holds of one template and seed, in a fleet on one host: all targets are healthy.

    Or, of any template, proved networks without targets.
    """

    template: str = Field(pattern=PREPARED_FOR)
    """`*`: any template."""
    seed: int = Field(ge=0, le=MAX_SEED)
    host: HostName | None = None
    """The host of the fleet that they stand on; None where there is no fleet."""
    wanted: int = Field(ge=0, le=MAX_PREPARED)
    """How many the settings ask for."""
    ready: tuple[PreparedSession, ...] = Field(default=(), max_length=MAX_PREPARED)
    """Those that can be claimed, the one with the most time left first."""
    preparing: int = Field(default=0, ge=0, le=MAX_PREPARED)
    note: str | None = Field(default=None, max_length=500)
    """Why fewer are ready than wanted, when it is not that they are being prepared."""


class Pool(Word):
    """The whole pool; no lines when the settings ask for none."""

    lines: tuple[PoolLine, ...] = Field(default=(), max_length=MAX_PREPARED * MAX_HOSTS)
