"""One installed collector, as its manifest describes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from dryrun_contract.collector_config import Profile
from dryrun_contract.event import Purpose
from dryrun_orchestrator.catalog.allowlist import AllowedImage
from dryrun_orchestrator.catalog.arguments import has_rate
from dryrun_orchestrator.catalog.reader_tables import CONTRACT_LINES
from dryrun_orchestrator.readers.table import ReaderTable


@dataclass(frozen=True, slots=True)
class CollectorManifest:
    """One installed collector."""

    name: str
    image: AllowedImage
    summary: str
    provides: frozenset[str]
    """Kinds it discovers."""
    needs: frozenset[str]
    """Kinds it is given from earlier collectors."""
    timeout_seconds: int
    profile: Profile
    capabilities: tuple[str, ...] = ()
    """A subset of what the allowlist grants its image."""
    arguments: tuple[str, ...] = ()
    """One of the image's argument lists, with placeholders; empty for one that reads `DISCOVERY_CONFIG`."""
    output: str = CONTRACT_LINES
    """`ndjson`, the contract's lines; `nmap-xml`; or the name of a reader table."""
    purpose: Purpose = "discovery"
    credentials: frozenset[str] = frozenset()
    """Engines whose credentials it is given, of those that the template holds."""
    max_rate: int | None = None
    """Packets per second at most; a client may choose less."""
    claims: Mapping[str, tuple[str, ...]] | None = None
    """Kinds, with scored attributes, that it is judged by in its own column; None for all that it reports."""
    table: ReaderTable | None = None
    """Reads its output, when `output` names one."""

    @property
    def reader(self) -> str | None:
        """What the process that reads its output gets; None for one that writes the contract's lines."""
        if self.table is not None:
            return self.table.to_json()
        return None if self.output == CONTRACT_LINES else self.output

    @property
    def takes_rate(self) -> bool:
        """Whether its rate can be chosen: it reads its configuration, or one of its arguments is the rate."""
        return not self.arguments or has_rate(self.arguments)

    def waits_for(self, other: "CollectorManifest") -> bool:
        """Return whether `other` provides what this one needs; a comparison passes nothing on."""
        return other is not self and other.purpose == "discovery" and bool(other.provides & self.needs)
