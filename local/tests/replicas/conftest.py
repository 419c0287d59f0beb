"""A network in a file, and another installation that may take it."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from docker_on_path import docker_on_path
from made_bundles import IMAGE, image_in, in_folder

from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import moving, verification
from dryrun_local.replicas.installing import install
from dryrun_local.terminal.screen import Screen
from dryrun_replica.inventory.model import Host, Inventory, Service, Source
from dryrun_replica.levels import Level, Match
from dryrun_replica.planning.plan import make_plan
from dryrun_replica.planning.template import template_text


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was looked at from inside; the engine's tests do it."""
    seen: list[str] = []

    async def verify(_: Installation, __: Screen, rows: dict[str, Any]) -> None:
        seen.extend(rows)

    monkeypatch.setattr(verification, "verify_rows", verify)
    return seen


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verified: list[str]) -> Path:
    """The folder of a `docker` that keeps its images in a file."""
    return docker_on_path(tmp_path / "bin", monkeypatch)


@pytest.fixture
def acme(tmp_path: Path, docker: Path) -> Installation:
    """An installation with the network acme."""
    installation = in_folder(tmp_path / "here")
    host = Host(name="web-1", role="web", services=(Service(port=80, product="nginx"),))
    inventory = Inventory(
        sources=(Source(format="csv", sha256="0" * 64),), read_at=datetime.now(UTC), hosts=(host,)
    )
    match = Match(level=Level.SAME_PRODUCT, recipe="nginx", product="nginx")
    plan = make_plan("acme", inventory, lambda _: (match,), datetime(2026, 11, 27, tzinfo=UTC))
    row = {"id": image_in(docker), "ground_truth": [{"kind": "host", "key": ""}]}
    install(
        installation,
        "acme",
        templates={"acme": template_text(plan, plan.templates[0], {"web-1": IMAGE})},
        rows={IMAGE: row},
        card={
            "plan": plan.model_dump(mode="json"),
            "images": {"web-1": IMAGE},
            "templates": ["acme"],
        },
    )
    (installation.root / "images" / "recipes").mkdir(parents=True)
    (installation.root / "images" / "recipes" / "nginx.yml").write_text("title: nginx\n")
    return installation


@pytest.fixture
def bundle(acme: Installation, docker: Path, tmp_path: Path) -> Path:
    """A bundle of acme, and an engine that has nothing."""
    path = tmp_path / "acme.tar"
    asyncio.run(moving.export_network(acme, Screen(), "acme", path, None))
    (docker / "images.json").unlink()
    (docker / "calls").unlink()
    return path


@pytest.fixture
def there(tmp_path: Path) -> Installation:
    return in_folder(tmp_path / "there")
