"""The warm pool: sessions prepared ahead, which a start of the same template and seed claims."""

from uuid import UUID

from pydantic import Field

from dryrun_contract.base import UtcTime, Word
from dryrun_contract.fleet import MAX_HOSTS, HostName
from dryrun_contract.session import MAX_SEED
from dryrun_contract.template import TEMPLATE_ID

MAX_PREPARED = 50


class PreparedSession(Word):
    """A session whose targets are healthy and that nobody has claimed. Requesting its id claims it."""

    id: UUID
    prepared_at: UtcTime
    expires_at: UtcTime
    """Its deadline, which stays when it is claimed."""


class PoolLine(Word):
    """What the pool holds of one template and seed, in a fleet on one host."""

    template: str = Field(pattern=TEMPLATE_ID)
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
