"""How thoroughly each profile scans."""

from dataclasses import dataclass

from dryrun_contract.collector_config import Profile


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the second opinion listens, in seconds."""

    answer: float
    """Seconds for one question."""
    port: float
    host: float
    ports: int = 100
    """Asked of one host at most."""


@dataclass(frozen=True, slots=True)
class ScanProfile:
    """How thoroughly a profile scans."""

    all_ports: bool
    """All 65535 TCP ports, instead of the most common ones and those of `listening_ports.rarer_ports`."""
    intensity: int
    """nmap's --version-intensity: probes up to this rarity; those meant for the port come in any case."""
    banner_wait_ms: int
    answer_wait_ms: int
    hurry: bool
    """Leave some probes to the ports they are meant for: a silent service is asked less."""
    patience: Patience
    """How long the second opinion asks what nmap leaves unnamed."""


PROFILES: dict[Profile, ScanProfile] = {
    "quick": ScanProfile(
        all_ports=False,
        intensity=4,
        banner_wait_ms=500,
        answer_wait_ms=3000,
        hurry=True,
        patience=Patience(answer=1.5, port=12, host=30),
    ),
    "full": ScanProfile(
        all_ports=True,
        intensity=7,
        banner_wait_ms=3000,
        answer_wait_ms=3000,
        hurry=False,
        patience=Patience(answer=3, port=20, host=60),
    ),
}
