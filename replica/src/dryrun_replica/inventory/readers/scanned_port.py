"""What a scan in nmap's XML says of one port, and the service that it describes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dryrun_replica.inventory.found_service import GUESSED, FoundService, FoundTls

VERSION_RANGE = re.compile(r" or (?:later|earlier|newer|older)|[\dX] - \d")
"""Of some services nmap knows only from when to when their version is; none of them is the version."""
_COINCIDENCES = frozenset({"LANDesk remote management"})
"""What nmap calls any answer of 264 bytes, which names nothing."""
_CONFIDENCES = frozenset(map(str, range(11)))


@dataclass(slots=True)
class ScannedPort:
    """One port of a scan, and what the scan says of it."""

    where: str
    attributes: Mapping[str, str]
    open: bool = False
    service: Mapping[str, str] = field(default_factory=dict)
    cpe: list[str] = field(default_factory=list)
    title: str | None = None
    banner: str | None = None
    tls: FoundTls | None = None


def service_of(port: ScannedPort, *, asked: bool) -> FoundService:
    """Return what the scan says of a port; `asked` whether it asked services what they are."""
    known = port.service
    tls = port.tls or (FoundTls() if known.get("tunnel") == "ssl" else None)
    probed = known.get("method") == "probed"
    confidence = known.get("conf", "")
    if known.get("product") in _COINCIDENCES:
        return FoundService(tls=tls, confidence=GUESSED, from_scanner=True, is_mute=False)
    return FoundService(
        # Who asked, and got no answer that it knows, writes what the port's number is for: it is not that.
        name=known.get("name") if probed or not asked else None,
        product=known.get("product"),
        version=None if VERSION_RANGE.search(known.get("version") or "") else known.get("version"),
        cpe=tuple(port.cpe),
        tls=tls,
        title=port.title,
        banner=port.banner,
        # nmap writes 0 to 10, and 3 for what it only looked up by the port's number.
        confidence=min(int(confidence), 10) / 10 if probed and confidence in _CONFIDENCES else GUESSED,
        from_scanner=True,
        is_by_number=known.get("method") == "table" and not known.get("product"),
        # What it heard and does not know, it writes as a fingerprint. Of some ports it says nothing at all.
        is_mute=known.get("method") == "table" and "servicefp" not in known if asked and known else None,
    )
