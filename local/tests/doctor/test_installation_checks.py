import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dryrun_local.doctor import installation_checks
from dryrun_local.images.building import ImageListing
from dryrun_local.images.folders import load_folders
from dryrun_local.images.needed import draft_allowlist
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.journal.journal import Journal

ROOT = Path(__file__).resolve().parents[3]


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

    monkeypatch.setattr(installation_checks, "list_images", list_images)
    found = Installation(tmp_path, tmp_path)
    if rows is not None:
        text = rows if isinstance(rows, str) else json.dumps({"version": 1, "images": rows})
        found.allowlist.write_text(text)
    result = await installation_checks.images(found)
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
    monkeypatch.setattr(installation_checks, "load_allowlist", lambda _: allowlist)
    result = installation_checks.files(Installation(tmp_path, tmp_path))
    if said is None:
        assert (result.state, result.fixes) == ("ok", ())
    else:
        assert result.state == "missing"
        assert said in result.detail
        assert "dryrun-local check" in result.fixes[0]


def test_a_journal_that_a_foreign_process_holds_is_named_with_that_process(tmp_path):
    found = Installation(tmp_path, tmp_path / "state")
    assert installation_checks.local_services(found).state == "ok"
    lock = found.state / "orchestrator" / "journal.lock"
    lock.parent.mkdir()
    lock.touch()
    assert installation_checks.local_services(found).state == "ok"
    with subprocess.Popen(["flock", lock, "sh", "-c", "echo held; read _"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout.readline() == b"held\n"
        result = installation_checks.local_services(found)
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
    result = installation_checks.local_services(found)
    assert result.state == state, result
    if state == "missing":
        assert f"the journal {file}: file is not a database" in result.detail
        assert result.fixes[0].startswith(f"mv {file} {file}.damaged ")
    assert [*file.parent.iterdir()] == [file]


async def test_a_journal_of_an_orchestrator_is_in_order(tmp_path):
    found = Installation(tmp_path, tmp_path / "state")
    journal = Journal.open(found.state / "orchestrator")
    await journal.close()
    assert installation_checks.local_services(found).state == "ok"
