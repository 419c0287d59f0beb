"""Builds one image folder, checks the result and reads its facts."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dryrun_local.images import programs
from dryrun_local.images.digest import LABEL
from dryrun_local.images.folders import ImageFolder
from dryrun_local.images.manifest import Manifest, PythonParts
from dryrun_local.images.programs import ProgramError

BUILD_SECONDS = 900
"""Limit for one image; a first install over a slow line takes a few minutes."""
_PYTHON_VERSION = "3.13"
"""Python in Debian 13, whichever version runs the builder."""
_FACT_READINGS = 3
"""On a busy engine `docker run` of a short command sometimes loses its output and still exits 0."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image in the engine. `size` in bytes; `digest` is its folder's when it was built."""

    id: str
    size: int
    digest: str
    volumes: tuple[str, ...]
    layers: tuple[str, ...] = ()
    """Digests of its layers as the engine computes them from their content, the lowest first."""


async def inspect_images(names: Iterable[str], *, seconds: float = 60) -> dict[str, BuiltImage]:
    """Return the engine's images by name; missing ones are left out. Raises ProgramError."""
    code, output, errors = await programs.capture(["docker", "image", "inspect", *names], seconds=seconds)
    unexpected = [line for line in errors.splitlines() if line and "No such image" not in line]
    if code and unexpected:
        raise ProgramError(f"the engine does not list images: {unexpected[0]}")
    found: dict[str, BuiltImage] = {}
    for entry in json.loads(output or "[]"):
        config: dict[str, Any] = entry.get("Config") or {}
        image = BuiltImage(
            id=entry["Id"],
            size=entry["Size"],
            digest=(config.get("Labels") or {}).get(LABEL, ""),
            volumes=tuple(config.get("Volumes") or ()),
            layers=tuple((entry.get("RootFS") or {}).get("Layers") or ()),
        )
        found.update(dict.fromkeys(entry.get("RepoTags") or (), image))
    return found


async def build_folder(
    folder: ImageFolder, digest: str, root: Path, log: Path, *, force: bool = False
) -> BuiltImage:
    """Build `folder`, tag it with its manifest's name and return it; `log` begins anew.

    Raises ProgramError with the end of the log.
    """
    _begin(log)
    await _build(folder, digest, root, log, force=force)
    image = folder.manifest.image
    built = (await inspect_images([image])).get(image)
    if built is None:
        raise ProgramError(f"the build succeeded, but the engine has no image {image}")
    return built


def _begin(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)


async def _build(folder: ImageFolder, digest: str, root: Path, log: Path, *, force: bool) -> None:
    image, label = folder.manifest.image, f"{LABEL}={digest}"
    if folder.bootstrap is not None:
        importing = ["docker", "import", "--change", f'LABEL {LABEL}="{digest}"', "-", image]
        await programs.pipe(["sh", str(folder.bootstrap)], importing, log, seconds=BUILD_SECONDS)
        return
    with tempfile.TemporaryDirectory(prefix="dryrun-image-") as made:
        context, staging = Path(made, "context"), Path(made, "wheels")
        shutil.copytree(folder.path, context, symlinks=True)
        command = ["docker", "build", "--progress=plain", "--tag", image, "--label", label]
        if force:
            command.append("--no-cache")
        if folder.manifest.python is not None:
            await _stage_python(folder.manifest.python, root, staging, log)
            command += ["--build-context", f"wheels={staging}"]
        _open_to_all(Path(made))
        await programs.run([*command, str(context)], log, seconds=BUILD_SECONDS)


def _open_to_all(folder: Path) -> None:
    """Give files the modes that their digest stands for, whatever the umask of the checkout.

    An image copies them, and its server is not root.
    """
    for path in folder.rglob("*"):
        if not path.is_symlink():
            is_open = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if is_open else 0o644)


async def _stage_python(parts: PythonParts, root: Path, staging: Path, log: Path) -> None:
    target = staging / "site-packages"
    target.mkdir(parents=True)
    if parts.requirements is not None:
        command = [programs.find_uv(root), "pip", "install", "--quiet", "--target", str(target)]
        command += ["--python-version", _PYTHON_VERSION, "--only-binary", ":all:"]
        command += ["--no-deps", "--require-hashes"]
        await programs.run([*command, "-r", str(root / parts.requirements)], log, seconds=BUILD_SECONDS)
        # Scripts name the builder's interpreter; images run modules with their own.
        shutil.rmtree(target / "bin", ignore_errors=True)
    for package in parts.packages:
        shutil.copytree(
            root / package / "src", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )


async def read_facts(image_id: str, manifest: Manifest) -> dict[str, str]:
    """Run the manifest's fact commands once in the built image, without a network. Raises ProgramError."""
    if not manifest.facts:
        return {}
    script = "\n".join(
        f"value=$({command}\n) || {{ echo 'fact {name} failed' >&2; exit 1; }}\nprintf '%s\\n' \"$value\""
        for name, command in manifest.facts.items()
    )
    for _ in range(_FACT_READINGS):
        code, output, errors = await programs.run_in_image(image_id, "sh", script)
        values = output.splitlines()
        if not code and len(values) == len(manifest.facts) and all(values):
            return dict(zip(manifest.facts, values, strict=True))
    raise ProgramError(
        f"{manifest.image}: its facts ({', '.join(manifest.facts)}) could not be read; "
        f"each command has to print one line: {errors.strip() or output.strip() or f'exit code {code}'}"
    )


def refuse_volumes(volumes: Iterable[str]) -> str:
    """Return why an image that declares volumes is not allowlisted, and what to do."""
    return (
        f"it declares VOLUME {' '.join(volumes)}; such images are not allowlisted "
        "(a volume outlives its container): remove the instruction and use a tmpfs in image.yml"
    )


def allowlist_entry(manifest: Manifest, image: BuiltImage, facts: Mapping[str, str]) -> dict[str, object]:
    """Return the allowlist's row for one image."""
    return {
        "id": image.id,
        "environment": list(manifest.environment),
        "capabilities": list(manifest.capabilities),
        "arguments": [list(arguments) for arguments in manifest.arguments],
        **({} if manifest.max_rate is None else {"max_rate": manifest.max_rate}),
        **({"stdin": True} if manifest.stdin else {}),
        "read_only": manifest.read_only,
        "tmpfs": {path: place.model_dump() for path, place in manifest.tmpfs.items()},
        "facts": dict(facts),
        "ground_truth": list(manifest.ground_truth),
        "log_patterns": dict(manifest.log_patterns),
        "size": image.size,
    }
