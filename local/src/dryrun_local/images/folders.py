"""The folders under `images/`, in an order in which they can be built, and what is wrong with them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dryrun_local.images.manifest import Manifest, PythonParts, read_manifest
from dryrun_local.machine.errors import LocalError
from dryrun_orchestrator.catalog.allowlist import role_of
from dryrun_orchestrator.catalog.grants import grant_faults

TEST_IMAGES = "images"
SERVICE_IMAGES = "deploy/images"
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE | re.MULTILINE)


class ManifestError(LocalError):
    """One or more image folders are invalid; each of `problems` names the file and the path inside it."""

    def __init__(self, problems: Iterable[str], found: "Mapping[str, ImageFolder] | None" = None) -> None:
        self.problems = tuple(problems)
        self.found = found or {}
        """Every folder whose image.yml reads, by name."""
        count = len(self.problems)
        heading = f"{count} problem{'s' if count > 1 else ''} in image folders:"
        super().__init__("\n  ".join([heading, *self.problems]))


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A folder under `images/` with its manifest."""

    name: str
    path: Path
    manifest: Manifest

    @property
    def bootstrap(self) -> Path | None:
        """The script that writes a root file system as tar to its output, in folders without a Dockerfile."""
        script = self.path / "rootfs.sh"
        return script if script.is_file() else None


def load_folders(
    root: Path, places: Iterable[str] = (TEST_IMAGES,), added: Iterable[Path] = ()
) -> dict[str, ImageFolder]:
    """Read each `image.yml` one folder below `places`; parents come before images built on them.

    `added` are further folders with `images/` of their own, which may build on the project's.
    Raises ManifestError with all problems of all folders at once.
    """
    problems: list[str] = []
    found: dict[str, ImageFolder] = {}
    for place in (*(root / place for place in places), *(folder / TEST_IMAGES for folder in added)):
        for path in sorted(place.glob("*/image.yml")):
            name, where = path.parent.name, place_of(path, root)
            manifest = read_manifest(path, where, problems)
            if name in found:
                problems.append(
                    f"{where}: the folder {name} is also {place_of(found[name].path, root)}; rename it"
                )
            elif manifest is not None:
                found[name] = ImageFolder(name, path.parent, manifest)
    names: dict[str, str] = {}
    for folder in found.values():
        problems.extend(_problems(folder, found, root))
        image = folder.manifest.image
        if image in names:
            problems.append(
                f"{place_of(folder.path, root)}/image.yml: image: {image} is also built by "
                f"{place_of(found[names[image]].path, root)}"
            )
        names.setdefault(image, folder.name)
    if not found and not problems:
        problems.append(f"{root / 'images'}: no folder has an image.yml")
    ordered = _ordered(found, problems)
    if problems:
        raise ManifestError(problems, found)
    return ordered


def place_of(path: Path, root: Path) -> str:
    """Return a path for people: in the project relative to it, elsewhere as it is."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _problems(folder: ImageFolder, found: dict[str, ImageFolder], root: Path) -> Iterable[str]:
    manifest, where = folder.manifest, f"{place_of(folder.path, root)}/image.yml"
    yield from _problems_of_grants(manifest, where)
    for parent in manifest.parents:
        if parent not in found and not (root / "images" / parent / "image.yml").is_file():
            close = get_close_matches(parent, found, n=1)
            hint = f"did you mean {close[0]}? Known" if close else "known"
            yield f"{where}: from: there is no folder images/{parent}; {hint} are {', '.join(sorted(found))}"
    parts = manifest.python or PythonParts()
    if parts.requirements is not None and not (root / parts.requirements).is_file():
        yield f"{where}: python.requirements: there is no file {parts.requirements}"
    for package in parts.packages:
        if not (root / package / "src").is_dir():
            yield f"{where}: python.packages: there is no workspace package {package}"
    dockerfile = folder.path / "Dockerfile"
    if not dockerfile.is_file():
        if folder.bootstrap is None:
            where = place_of(folder.path, root)
            yield f"{where}: needs a Dockerfile, or a rootfs.sh that writes a tar archive"
        return
    parents = {found[parent].manifest.image for parent in manifest.parents if parent in found}
    for source in _FROM.findall(dockerfile.read_text(encoding="utf-8")):
        if source not in parents:
            yield (
                f"{place_of(folder.path, root)}/Dockerfile: FROM {source}: image.yml names no folder that "
                f"builds it; its parents build {', '.join(sorted(parents)) or 'nothing'}"
            )


def _problems_of_grants(manifest: Manifest, where: str) -> Iterable[str]:
    """Yield what orchestrator and guard would refuse: one such row makes them refuse the whole allowlist."""
    if not manifest.allowlisted:
        return
    for fault in grant_faults(
        role_of(manifest.image),
        capabilities=manifest.capabilities,
        arguments=manifest.arguments,
        max_rate=manifest.max_rate,
        stdin=manifest.stdin,
        tmpfs_bytes={path: tmpfs.size for path, tmpfs in manifest.tmpfs.items()},
        where=f"{where}: ",
    ):
        yield f"{fault.where}: {fault.what}"


def _ordered(found: dict[str, ImageFolder], problems: list[str]) -> dict[str, ImageFolder]:
    ordered: dict[str, ImageFolder] = {}
    waiting = dict(found)
    while waiting:
        ready = [
            folder
            for folder in waiting.values()
            if all(parent in ordered or parent not in found for parent in folder.manifest.parents)
        ]
        if not ready:
            problems.append(
                f"images: these folders build on each other in a cycle: {', '.join(sorted(waiting))}"
            )
            break
        for folder in ready:
            ordered[folder.name] = waiting.pop(folder.name)
    return ordered
