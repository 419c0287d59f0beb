import json
import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from dryrun_local.doctor import checks
from dryrun_local.doctor.checks import all_results, subnet_pool
from dryrun_local.doctor.examination import examine
from dryrun_local.images.building import ImageListing
from dryrun_local.images.folders import load_folders
from dryrun_local.images.needed import draft_allowlist
from dryrun_local.machine.engine_view import Thing
from dryrun_local.machine.installation import Installation
from dryrun_local.terminal.screen import Screen
from dryrun_orchestrator.journal.journal import Journal

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def bare(tmp_path, monkeypatch) -> Installation:
    """A checkout without images, on a machine without an engine or programs."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    return Installation(tmp_path, tmp_path / "state")


async def findings_of(installation) -> dict:
    import os

    return {result.check: result async for result in all_results(installation, os.environ)}


async def test_a_bare_machine_gets_a_fix_for_everything_missing(bare):
    findings = await findings_of(bare)
    for check in ("program docker", "program mmdebstrap", "Docker Engine", "Python"):
        assert findings[check].state == "missing"
        assert findings[check].fixes, check
    assert "apt-get install docker.io" in findings["Docker Engine"].fixes[0]
    assert "does not answer" in findings["Docker Engine"].detail


async def test_exits_with_1_when_something_is_missing(bare, capsys):
    assert await examine(bare, Screen(to_error=True), as_json=True) == 1
    assert '"check": "Docker Engine"' in capsys.readouterr().out


def test_an_old_engine_is_named_with_what_is_needed():
    finding = checks._engine_version({"Version": "20.10.24", "ApiVersion": "1.41"})
    assert finding.state == "missing"
    assert "20.10.24" in finding.detail
    assert "25 or newer" in finding.detail
    assert checks._engine_version({"Version": "26.1.5+dfsg1", "ApiVersion": "1.45"}).state == "ok"


def test_limits_that_the_engine_cannot_set_are_named():
    info = {"MemoryLimit": True, "SwapLimit": True, "CpuCfsQuota": False, "PidsLimit": False}
    finding = checks._limits(info)
    assert finding.state == "missing"
    assert "does not enforce CPU, processes (" in finding.detail
    assert "docker info" in finding.fixes[0]
    rootless = checks._limits(info | {"SecurityOptions": ["name=seccomp", "name=rootless"]})
    assert "cgroup v2" in rootless.fixes[0]


def test_swap_that_the_engine_cannot_limit_is_a_note():
    info = {"MemoryLimit": True, "SwapLimit": False, "CpuCfsQuota": True, "PidsLimit": True}
    assert checks._limits(info).state == "note"
    assert checks._limits(info | {"SwapLimit": True}).state == "ok"


@pytest.mark.parametrize(("version", "is_told"), [("1", True), ("2", False)])
def test_names_the_cgroup_version_that_does_not_limit_sockets(version, is_told):
    info = {"MemoryLimit": True, "SwapLimit": True, "CpuCfsQuota": True, "PidsLimit": True}
    finding = checks._limits(info | {"CgroupVersion": version})
    assert ("UDP sockets only by the host rule" in finding.detail) is is_told


@pytest.mark.parametrize(
    ("interface", "route", "state"),
    [
        ("eth0", "0.0.0.0/0", "ok"),  # the default route leads everywhere, and is the last to be asked
        ("eth0", "192.0.2.0/24", "ok"),
        ("dr-0123456789ab", "10.213.0.0/27", "ok"),  # a session's own bridge
        ("vpn0", "10.213.4.0/24", "note"),
        ("vpn0", "10.0.0.0/8", "note"),
    ],
)
def test_names_a_host_route_into_the_pool(interface, route, state):
    finding = subnet_pool("10.213.0.0/16", [(interface, IPv4Network(route))])
    assert finding.state == state
    if state == "note":
        assert f"{route} by {interface}" in finding.detail


def test_names_a_pool_that_is_not_a_network():
    assert subnet_pool("10.213.0.1/16", []).state == "missing"


def test_names_a_disk_without_room(monkeypatch, tmp_path):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12 - 10**9, 10**9)
    )
    finding = checks._disk("disk", tmp_path / "not" / "yet" / "there")
    assert finding.state == "missing"
    assert "1.0 GB free" in finding.detail


async def test_what_the_engine_has_of_sessions_may_be_prepared_ones():
    class Engine:
        async def things(self):
            return frozenset({Thing("network", "a" * 64, "dryrun-1", session="1")})

    finding = await checks._session_leftovers(Engine())
    assert (finding.state, "network dryrun-1: of a running or prepared session" in finding.detail) == (
        "note",
        True,
    )


GOOD = {"id": f"sha256:{'1' * 64}"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"discovery/test-redis:8.0": GOOD}, None),
        ({}, "does not pin what is built: discovery/test-redis:8.0"),
        ({"discovery/test-redis:8.0": GOOD | {"id": f"sha256:{'2' * 64}"}}, "does not pin what is built"),
        ({"discovery/test-redis:8.0": GOOD | {"capabilities": ["SYS_ADMIN"]}}, "SYS_ADMIN"),
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
    ],
)
async def test_an_allowlist_that_sessions_could_not_use_is_missing(tmp_path, monkeypatch, rows, said):
    listed = [
        ImageListing("redis", "discovery/test-redis:8.0", "", "current", allowlisted=True, id=GOOD["id"]),
        ImageListing("base", "discovery/base:13", "", "current", allowlisted=False, id=GOOD["id"]),
    ]

    async def list_images(_):
        return listed

    monkeypatch.setattr(checks, "list_images", list_images)
    found = Installation(tmp_path, tmp_path)
    if rows is not None:
        text = rows if isinstance(rows, str) else json.dumps({"version": 1, "images": rows})
        found.allowlist.write_text(text)
    result = await checks._images(found)
    assert (result.state, bool(result.fixes)) == (("ok", False) if said is None else ("missing", True))
    assert said is None or said in result.detail, result.detail


@pytest.mark.parametrize(
    ("damaged", "said"),
    [(None, None), ("collectors/manifests/web.yml", "web.yml:"), ("templates/small.yml", "small.yml:")],
)
def test_a_damaged_manifest_or_template_is_named(tmp_path, monkeypatch, damaged, said):
    for name in ("templates", "collectors/manifests"):
        shutil.copytree(ROOT / name, tmp_path / name)
    if damaged is not None:
        with (tmp_path / damaged).open("a") as file:
            file.write("  x: [")
    allowlist = draft_allowlist(load_folders(ROOT), tmp_path)
    monkeypatch.setattr(checks, "load_allowlist", lambda _: allowlist)
    result = checks._files(Installation(tmp_path, tmp_path))
    if said is None:
        assert (result.state, result.fixes) == ("ok", ())
    else:
        assert result.state == "missing"
        assert said in result.detail
        assert "dryrun-local check" in result.fixes[0]


def test_a_journal_that_a_foreign_process_holds_is_named_with_that_process(tmp_path):
    found = Installation(tmp_path, tmp_path / "state")
    assert checks._running(found).state == "ok"
    lock = found.state / "orchestrator" / "journal.lock"
    lock.parent.mkdir()
    lock.touch()
    assert checks._running(found).state == "ok"
    with subprocess.Popen(["flock", lock, "sh", "-c", "echo held; read _"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout.readline() == b"held\n"
        result = checks._running(found)
        holder.communicate(b"\n", timeout=10)
    assert result.state == "missing"
    assert f"in use by process {holder.pid}," in result.detail
    assert result.fixes[0].startswith(f"ps -fp {holder.pid} ")


@pytest.mark.parametrize(("content", "state"), [(b"", "ok"), (b"damaged" * 100, "missing")])
def test_a_damaged_journal_is_named_with_what_to_do(tmp_path, content, state):
    found = Installation(tmp_path, tmp_path / "state")
    file = found.state / "orchestrator" / "journal.sqlite3"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    result = checks._running(found)
    assert result.state == state, result
    if state == "missing":
        assert f"the journal {file}: file is not a database" in result.detail
        assert result.fixes[0].startswith(f"mv {file} {file}.damaged ")
    assert [*file.parent.iterdir()] == [file]


async def test_a_journal_of_an_orchestrator_is_in_order(tmp_path):
    found = Installation(tmp_path, tmp_path / "state")
    journal = Journal.open(found.state / "orchestrator")
    await journal.close()
    assert checks._running(found).state == "ok"
