"""The hosts that sessions run on, if several: what each holds, and why it gets no new session."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from dryrun_contract.base import Word

MAX_HOSTS = 50
MAX_MANAGERS = 7
"""More slow a swarm down, and stand no more faults than it is likely to meet."""
MAX_LABELS = 16
HOST_NAME = r"^[a-z0-9][a-z0-9-]{0,30}$"
LABEL_KEY = r"^[a-z0-9][a-z0-9./-]{0,62}$"
LABEL_VALUE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"

type HostName = Annotated[str, Field(pattern=HOST_NAME)]
type LabelKey = Annotated[str, Field(pattern=LABEL_KEY)]
type LabelValue = Annotated[str, Field(pattern=LABEL_VALUE)]


class FleetHost(Word):
    """One host of the fleet."""

    name: HostName
    drained: bool
    """Whether the operator has it take no new session, for maintenance."""
    obstacle: str | None = Field(default=None, max_length=1000)
    """Why else it gets no new session; None when it may."""
    containers: int = Field(ge=0)
    """Places of containers that sessions hold."""
    places: int = Field(ge=0)
    """Places of containers in all."""
    sessions: tuple[UUID, ...] = Field(default=(), max_length=1000)
    """Those that stand here, whole or in part."""
    labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=MAX_LABELS)


class Fleet(Word):
    """All hosts; none where sessions run on the one host of the orchestrator's engine."""

    managers: tuple[HostName, ...] = Field(default=(), max_length=MAX_MANAGERS)
    """The hosts that can make networks across hosts; one that answers does."""
    encrypted: bool | None = None
    """Whether traffic between hosts is encrypted."""
    hosts: tuple[FleetHost, ...] = Field(default=(), max_length=MAX_HOSTS)
