"""The isolation probe: its container on one engine, and what it reported."""

from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from dryrun_contract.text import printable
from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.errors import ConflictError, NotFoundError
from dryrun_orchestrator.engine.protocol import Container, ContainerSpec, Engine

PROBE_SERVICE = "isolation-probe"
_OUTPUT_BYTES = 64 * 1024


class _Line(BaseModel):
    """A line's other fields are evidence for people who read the log."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _VerdictLine(_Line):
    type: Literal["verdict"]
    isolated: bool | None
    reason: str


class _EndLine(_Line):
    """Written by the process that waited for the one that judged."""

    type: Literal["end"]
    exit_code: int


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """One run of the probe. Neither isolated, reached nor undecided: it broke off, which proves nothing."""

    reason: str
    isolated: bool = False
    reached: bool = False
    undecided: bool = False

    @staticmethod
    def is_complete(said: bytes | bytearray) -> bool:
        """Return whether its last line has come."""
        return said.endswith(b"\n") and _line(_EndLine, bytes(said).splitlines()[-1]) is not None

    @classmethod
    def read(cls, said: bytes) -> Self:
        """Read the output. It takes both lines: a probe that breaks off after its verdict proves nothing."""
        lines = said.splitlines()
        verdict = _first(_VerdictLine, lines)
        end = _first(_EndLine, lines)
        code = None if end is None else end.exit_code
        if verdict is None:
            return cls(f"the isolation probe gave no verdict (exit code {code})")
        reason = printable(verdict.reason, limit=500)
        if verdict.isolated and code != 0:
            return cls(f"the isolation probe broke off after its verdict (exit code {code}): {reason}")
        return cls(
            reason,
            isolated=verdict.isolated is True,
            reached=verdict.isolated is False,
            undecided=verdict.isolated is None,
        )


def _line[T: _Line](kind: type[T], line: bytes) -> T | None:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        return None


def _first[T: _Line](kind: type[T], lines: list[bytes]) -> T | None:
    return next((found for line in lines if (found := _line(kind, line)) is not None), None)


async def create_probe(engine: Engine, session_id: UUID, spec: ContainerSpec) -> str:
    """Create a probe and return its id, in the place of an earlier one. Raises EngineError."""
    try:
        return await engine.create_container(spec)
    except ConflictError:
        # The answer of an earlier create may have been lost.
        for earlier in await probes_of(engine, session_id):
            await remove_probe(engine, earlier.id)
        return await engine.create_container(spec)


async def read_probe(engine: Engine, container: str) -> ProbeReport:
    """Return what a probe says until its last line, or until it is too much. Raises EngineError."""
    said = bytearray()
    async with aclosing(engine.read_log(container, follow=True)) as log:
        async for chunk in log:
            if chunk.stream == "stdout":
                said += chunk.data
            if len(said) > _OUTPUT_BYTES or ProbeReport.is_complete(said):
                break
    return ProbeReport.read(bytes(said))


async def probes_of(engine: Engine, session_id: UUID) -> list[Container]:
    """Return the session's probes on an engine. Raises EngineError."""
    containers = await engine.list_containers(f"{labels.SESSION_ID}={session_id}")
    return [each for each in containers if each.labels.get(labels.SERVICE) == PROBE_SERVICE]


async def remove_probe(engine: Engine, container: str) -> None:
    """Remove a probe, which may be gone. Raises EngineError."""
    with suppress(NotFoundError):
        await engine.remove_container(container)
