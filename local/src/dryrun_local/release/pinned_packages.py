"""Third-party software by pin and hash: Python packages of requirements files, browser files from npm."""

import csv
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_IMAGE_ENVIRONMENT = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
"""The images' Python; pins whose marker does not hold there are not installed."""


@dataclass(frozen=True, slots=True)
class PinnedPackage:
    """A package in one version. `hashes` are the SHA-256 of every file that the installer would accept."""

    name: str
    version: str
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VendoredPackage:
    """Files of an npm package that the distribution in `folder` holds; `hashes` are their SHA-256."""

    name: str
    version: str
    licence: str
    folder: str
    hashes: tuple[str, ...]


def read_pins(file: Path) -> list[PinnedPackage]:
    """Return the pins of a requirements file that apply in the images, by name."""
    found = []
    for line in file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        words, *hashes = line.split(" --hash=sha256:")
        if not words.strip() or words.startswith("#"):
            continue
        requirement = Requirement(words.strip())
        if requirement.marker is not None and not requirement.marker.evaluate(_IMAGE_ENVIRONMENT):
            continue
        (pin,) = requirement.specifier
        name = canonicalize_name(requirement.name)
        found.append(PinnedPackage(name, pin.version, tuple(sorted(each.strip() for each in hashes))))
    return sorted(found, key=lambda package: package.name)


def read_vendored(assets: Path) -> list[VendoredPackage]:
    """Return the npm packages whose files a distribution holds under `src/`; those of tests are left out."""
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    with assets.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader((line for line in lines if not line.startswith("#")), delimiter="\t")
        for name, version, licence, _, target, sha256 in rows:
            folder, place, *_ = target.split("/")
            if place == "src":
                grouped.setdefault((name, version, licence, folder), []).append(sha256)
    return [VendoredPackage(*key, tuple(sorted(hashes))) for key, hashes in sorted(grouped.items())]
