"""A network travels between real engines: whole, or without the layers that the other side has."""

import asyncio
import hashlib
import io
import json
import secrets
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_bundles import in_folder
from target_container import docker

from dryrun_local.images.archive import opened_archive
from dryrun_local.images.programs import ProgramError
from dryrun_local.images.stored_images import place_of
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import moving, verification
from dryrun_local.replicas.bundle import BOUNDS
from dryrun_local.replicas.installed import find
from dryrun_local.replicas.installing import install
from dryrun_local.terminal.screen import Screen
from dryrun_replica.inventory.model import Host, Inventory, Service, Source
from dryrun_replica.levels import Level, Match
from dryrun_replica.planning.plan import make_plan
from dryrun_replica.planning.template import template_text

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


class MadeImage:
    """An image of two small layers, the lower one shared with `base`; nothing of it runs."""

    def __init__(self) -> None:
        self.layers = [tar_of({"content": secrets.token_bytes(2000)}) for _ in range(2)]
        self.name, self.base = (f"discovery/test-stand-in:{secrets.token_hex(8)}" for _ in range(2))
        self.digests = [f"sha256:{sha256(layer)}" for layer in self.layers]

    def load(self, name: str, layers: list[bytes]) -> str:
        """Give the engine an image of these layers; return its id."""
        digests = [f"sha256:{sha256(layer)}" for layer in layers]
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["/content"]},
                "rootfs": {"type": "layers", "diff_ids": digests},
            }
        ).encode()
        files = {f"layer-{number}": layer for number, layer in enumerate(layers)}
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": list(files)}]
        whole = tar_of({"manifest.json": json.dumps(manifest).encode(), "config.json": config} | files)
        subprocess.run(
            ["docker", "load", "--quiet"], input=whole, check=True, capture_output=True, timeout=60
        )
        return f"sha256:{sha256(config)}"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in files.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))
    return target.getvalue()


def is_there(name: str) -> bool:
    return bool(docker("image", "ls", "--quiet", name).strip())


@pytest.fixture
def image() -> Iterator[MadeImage]:
    made = MadeImage()
    yield made
    docker("image", "rm", made.name, made.base, check=False)


@pytest.fixture(autouse=True)
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take its facts for true: nothing runs in such an image, and stand-ins have tests of their own."""

    async def verify(*_: object) -> None:
        return

    monkeypatch.setattr(verification, "verify_rows", verify)


def network_on(image: str, image_id: str, path: Path) -> Installation:
    """Return an installation with the network acme of one host, on `image`."""
    installation = in_folder(path)
    host = Host(name="web-1", role="web", services=(Service(port=80, product="nginx"),))
    inventory = Inventory(
        sources=(Source(format="csv", sha256="0" * 64),), read_at=datetime.now(UTC), hosts=(host,)
    )
    match = Match(level=Level.SAME_PRODUCT, recipe="nginx", product="nginx")
    plan = make_plan("acme", inventory, lambda _: (match,), datetime(2026, 11, 27, tzinfo=UTC))
    install(
        installation,
        "acme",
        templates={"acme": template_text(plan, plan.templates[0], {"web-1": image})},
        rows={image: {"id": image_id, "ground_truth": [{"kind": "host", "key": ""}]}},
        card={"plan": plan.model_dump(mode="json"), "images": {"web-1": image}, "templates": ["acme"]},
    )
    return installation


def export(installation: Installation, path: Path, present: Path | None = None) -> Path:
    asyncio.run(moving.export_network(installation, Screen(), "acme", path, present))
    return path


def take(path: Path, state: Path) -> Installation:
    installation = in_folder(state)
    asyncio.run(moving.import_bundle(installation, Screen(), path, sha256=None))
    return installation


def test_a_network_is_loaded_whole_and_without_layers_that_are_there(
    image: MadeImage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image_id = image.load(image.name, image.layers)
    acme = network_on(image.name, image_id, tmp_path / "here")
    whole = export(acme, tmp_path / "whole.tar")
    docker("image", "rm", image.name)
    there = take(whole, tmp_path / "there")
    assert find(there, "acme").images == (image.name,)
    assert docker("image", "inspect", "--format={{.Id}}", image.name).strip() == image_id

    capsys.readouterr()
    image.load(image.base, image.layers[:1])
    docker("image", "rm", image.name)
    asyncio.run(moving.list_layers(Screen()))
    present = tmp_path / "layers"
    present.write_text(capsys.readouterr().out)
    listed = present.read_text().split()
    assert image.digests[0] in listed
    assert image.digests[1] not in listed
    image.load(image.name, image.layers)
    small = export(acme, tmp_path / "small.tar", present)
    with opened_archive(small, "network", BOUNDS) as archive:
        assert [place_of(each) in archive.files for each in image.digests] == [False, True]
    docker("image", "rm", image.name)
    take(small, tmp_path / "with-base")
    assert docker("image", "inspect", "--format={{.Id}}", image.name).strip() == image_id

    docker("image", "rm", image.name, image.base)
    with pytest.raises(ProgramError, match="1 layers that this engine was said to have"):
        take(small, tmp_path / "without-base")
    assert not is_there(image.name)
