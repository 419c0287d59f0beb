"""The plug-in interface: what a collector is, and what it is given."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from pydantic import JsonValue

from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import CollectorConfig, Credential, Profile
from dryrun_contract.discovery import Discovery


class CollectorError(RuntimeError):
    """A collector cannot go on; the text says what failed and what to do next."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One run's task, the same whether the orchestrator or a person gave it."""

    scope: Scope
    profile: Profile = "quick"
    max_rate: int | None = None
    """Packets per second at most; None leaves it to the collector."""
    credentials: tuple[Credential, ...] = ()
    discoveries: tuple[Discovery, ...] = ()
    """What earlier collectors found."""

    @classmethod
    def from_config(cls, config: CollectorConfig) -> Self:
        """Take over what the orchestrator configured. Raises ScopeError."""
        own = () if config.self is None else (config.self,)
        return cls(
            scope=Scope.parse([config.cidr], [*config.exclude, *own]),
            profile=config.profile,
            max_rate=config.max_rate,
            credentials=config.credentials,
            discoveries=config.discoveries,
        )


class Emit(Protocol):
    """Where a collector tells what it finds, at once and in any order; `LineWriter` is the real one."""

    def discovery(self, kind: str, key: str, data: dict[str, JsonValue], confidence: float = 1.0) -> None:
        """Tell of one thing found. Told again with the same kind and key it is the same thing."""

    def progress(self, done: int, total: int | None, message: str) -> None:
        """Tell how far the run is; `total` is None while unknown."""

    def warning(self, message: str) -> None:
        """Tell of something that could not be looked at."""


class Collector(Protocol):
    """A way of discovering. A new one is a class with these three and a row in `registry.COLLECTORS`."""

    name: ClassVar[str]
    provides: ClassVar[tuple[str, ...]]
    """Kinds of discoveries it makes."""

    async def collect(self, assignment: Assignment, emit: Emit) -> None:
        """Look at what `assignment.scope` admits, and at nothing else.

        What cannot be looked at is a warning; raises CollectorError when the run as a whole is in vain.
        Cancellation ends every process and connection it began.
        """
