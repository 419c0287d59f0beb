"""What a scanner's image may not do in a session, and how to fix it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dryrun_contract.text import printable
from dryrun_local.images.programs import capture
from dryrun_local.machine.errors import LocalError


class ScannerImageError(LocalError):
    """The image is not on this machine, or no session could start it; the message says how to fix it."""


@dataclass(frozen=True, slots=True)
class ScannerImage:
    """An image as the engine inspects it."""

    reference: str
    id: str
    size: int
    config: Mapping[str, Any]


async def inspect(reference: str) -> ScannerImage:
    """Return an image of this machine. Raises ScannerImageError."""
    code, output, errors = await capture(["docker", "image", "inspect", reference])
    if code:
        said = printable(errors.strip() or "no such image", limit=300)
        raise ScannerImageError(
            f"{printable(reference, limit=200)}: {said}; nothing is fetched here: build or load it first"
        )
    (found,) = json.loads(output)
    return ScannerImage(reference, found["Id"], found["Size"], found.get("Config") or {})


def obstacles(image: ScannerImage, *, has_arguments: bool, raw_packets: bool) -> Iterator[str]:
    """Yield what keeps a session from starting the image or the scanner from working, each with a remedy."""
    config = image.config
    if volumes := sorted(config.get("Volumes") or ()):
        yield (
            f"it declares VOLUME {' '.join(volumes)}, and a volume outlives its container. No later line "
            "of a Dockerfile takes that back; copy the files into an image without it: docker export "
            f"$(docker create {image.reference}) | docker import --change 'ENTRYPOINT {_entrypoint(config)}' "
            f"- {image.reference.partition(':')[0]}:without-volume"
        )
    if config.get("Healthcheck"):
        yield "it has a health check, which no scanner needs; add HEALTHCHECK NONE to its Dockerfile"
    if has_arguments and not config.get("Entrypoint"):
        command = " ".join(config.get("Cmd") or ())
        yield (
            "it has no ENTRYPOINT, so the manifest's arguments would be the program itself; add one to its "
            f"Dockerfile{f', such as {json.dumps((config.get("Cmd") or [])[:1])}' if command else ''}"
        )
    user = str(config.get("User") or "")
    if raw_packets and user.partition(":")[0] not in ("", "root", "0"):
        yield (
            f"it runs as user {printable(user, limit=40)}, who cannot use NET_RAW: capabilities of files "
            "do not count under no-new-privileges. Add USER root to its Dockerfile, or leave NET_RAW out"
        )


def hints(reason: str, image: ScannerImage) -> Iterator[str]:
    """Yield what to do about a trial that failed, from the scanner's last words."""
    said = reason.casefold()
    if "read-only file system" in said:
        yield "the root is read-only: name the folder that it writes, e.g. --tmpfs /tmp=16m, and add it again"
    if "operation not permitted" in said or "permission denied" in said:
        yield "it lacks a capability; only NET_RAW can be granted: capabilities: [NET_RAW] in the manifest"
    if "executable file not found" in said or "no such file" in said:
        yield f"something is not in the image; its entrypoint is {_entrypoint(image.config)}"
    if "without its end line" in said:
        yield "without output in the manifest it has to write the contract's lines; name a reader table"
    if "did not end within" in said:
        yield "give it fewer ports, a higher rate, or more timeout_seconds (1500 at most)"


def _entrypoint(config: Mapping[str, Any]) -> str:
    return json.dumps(config.get("Entrypoint") or [])
