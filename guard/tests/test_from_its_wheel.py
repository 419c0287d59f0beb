"""The guard installed from its wheel and its pinned packages, with nothing else of this project."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_engine import running_engine
from guard_stage import ALLOWLIST

ROOT = Path(__file__).parents[2]
BACKEND = Path(sys.prefix) / "bin" / "uv-build"


def run(*command, cwd=None):
    ended = subprocess.run(list(map(str, command)), check=False, cwd=cwd, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A new environment; its packages come from the installer's cache, which set-up filled: no network."""
    place = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "guard", place / "guard", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    run(BACKEND, "build-wheel", place, cwd=place / "guard")
    (wheel,) = place.glob("*.whl")
    uv = next(filter(None, (shutil.which("uv", path=str(ROOT / ".uv" / "bin")), shutil.which("uv"))))
    run(uv, "venv", "--quiet", "--python", sys.executable, place / "venv")
    install = (uv, "pip", "install", "--quiet", "--offline", "--python", place / "venv" / "bin" / "python")
    run(*install, "--no-deps", "--require-hashes", "-r", ROOT / "requirements" / "service-guard.txt")
    run(*install, "--no-deps", wheel)
    return place / "venv" / "bin"


def test_shows_its_help(installed, tmp_path):
    assert "A Docker socket proxy" in run(installed / "docker-guard", "--help", cwd=tmp_path)


def test_brings_everything_that_it_imports(installed, tmp_path):
    walk = (
        "import docker_guard, importlib, pkgutil\nfor each in pkgutil.iter_modules(docker_guard.__path__):\n"
    )
    walk += "    each.name == '__main__' or importlib.import_module(f'docker_guard.{each.name}')\n"
    listing = "print(docker_guard.__file__)"

    where = run(installed / "python", "-I", "-c", walk + listing, cwd=tmp_path)
    assert str(installed.parent) in where


def test_holds_nothing_else_of_this_project(installed):
    query = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    found = set(run(installed / "python", "-I", "-c", query).split())

    assert "docker-guard" in found
    assert not {name for name in found if name.startswith(("dryrun", "discovery", "approval"))}


async def test_answers_a_ping_for_the_engine_behind_it(installed, tmp_path):
    listen = f"unix://{tmp_path / 'g.sock'}"
    (tmp_path / "allowlist.json").write_text(json.dumps(ALLOWLIST))
    async with running_engine(tmp_path / "engine.sock"):
        serve = await asyncio.create_subprocess_exec(
            *(str(installed / "docker-guard"), "serve", "--listen", listen),
            *(
                "--docker",
                f"unix://{tmp_path / 'engine.sock'}",
                "--allowlist",
                str(tmp_path / "allowlist.json"),
            ),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert serve.stdout is not None
            async with asyncio.timeout(20):
                while b'"serving"' not in await serve.stdout.readline():
                    pass
            asked = (installed / "docker-guard", "healthcheck", "--listen", listen)
            assert "200" in await asyncio.to_thread(run, *asked)
        finally:
            serve.terminate()
            await serve.communicate()
    assert serve.returncode == 0
