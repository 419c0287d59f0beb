"""Style, scripts and what is vendored."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def vendored():
    lines = (ROOT / "setup" / "assets.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_every_vendored_file_is_the_one_on_the_list():
    listed = vendored()
    assert len(listed) > 3
    for _, _, _, _, target, sha256 in listed:
        assert hashlib.sha256((ROOT / target).read_bytes()).hexdigest() == sha256, target


def test_every_vendored_file_is_on_the_list_with_its_licence():
    listed = {target for *_, target, _ in vendored()}
    there = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("approval/**/vendored/*")
        if ".venv" not in path.parts
    }
    assert there == listed
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for package, _, licence, *_ in vendored():
        assert package in notice, package
        assert licence in notice, licence


async def test_an_asset_is_kept_for_ever_under_its_own_versions_address_only(api):
    version = api.app.state.pages.assets.version
    answer = await api.client.get(f"/assets/{version}/app.css")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    older = await api.client.get("/assets/0123456789abcdef/app.css")
    assert (older.text, older.headers["cache-control"]) == (answer.text, "no-cache")


async def test_nothing_outside_of_the_folder_is_served(api):
    for name in ("..%2frendering.py", "%2e%2e%2frendering.py", "%2fetc%2fpasswd", "vendored", ""):
        answer = await api.client.get(f"/assets/1/{name}")
        assert answer.status_code == 404, name
