"""Building: what is built, skipped and reported, and the allowlist. Docker is a fake program."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from docker_guard.rules.allowlist import load_allowlist as load_for_the_guard
from docker_guard.rules.policy import Policy
from dryrun_local.images.building import ImageBuildError, ImageEvent, build_images, list_images
from dryrun_local.images.programs import ProgramError
from dryrun_orchestrator.catalog.allowlist import load_allowlist as load_for_sessions


def build(root: Path, allowlist: Path, **options: Any) -> list[ImageEvent]:
    return asyncio.run(build_images(root, allowlist, **options))


def calls(docker: Path, verb: str) -> list[list[str]]:
    lines = map(json.loads, (docker / "calls").read_text().splitlines())
    return [line for line in lines if line[0] == verb]


def forget_calls(docker: Path) -> None:
    (docker / "calls").unlink()


def test_builds_everything_the_first_time_parents_first(docker: Path, root: Path, allowlist: Path) -> None:
    events: list[ImageEvent] = []
    results = build(root, allowlist, on_event=events.append)
    assert {result.state for result in results} == {"built"}
    assert [event.folder for event in events][:2] == ["base", "base"]
    assert [event.state for event in events][:2] == ["building", "built"]
    assert (docker / "imported").read_bytes() == b"tar-archive"


def test_writes_what_a_session_may_start(docker: Path, root: Path, allowlist: Path) -> None:
    build(root, allowlist)
    content = json.loads(allowlist.read_text())
    assert content["version"] == 1
    assert sorted(content["images"]) == [
        "discovery/test-dns:1",
        "discovery/test-mail:1",
        "discovery/test-web:1",
    ]
    built = json.loads((docker / "images.json").read_text())["discovery/test-web:1"]
    assert content["images"]["discovery/test-web:1"] == {
        "id": built["Id"],
        "environment": [],
        "capabilities": [],
        "arguments": [],
        "read_only": True,
        "tmpfs": {"/run": {"size": 1048576, "uid": 33, "gid": 33, "mode": "0755"}},
        "facts": {"version": "1.2"},
        "ground_truth": [{"kind": "service", "key": ":80/tcp", "data": {"version": {"fact": "version"}}}],
        "log_patterns": {"errors": "ERR"},
        "size": 1000,
    }
    readers = (load_for_sessions(allowlist), load_for_the_guard(allowlist, Policy()))
    assert all("discovery/test-web:1" in reader.images for reader in readers)


def test_what_an_image_copies_is_open_to_its_server_whatever_the_umask_of_the_checkout(
    docker: Path, root: Path, allowlist: Path
) -> None:
    web = root / "images" / "web"
    (web / "site").mkdir()
    for name, mode in (("page.html", 0o600), ("start.sh", 0o700)):
        (web / "site" / name).write_text("")
        (web / "site" / name).chmod(mode)
    (web / "site").chmod(0o700)
    build(root, allowlist)
    assert {"page.html 644", "start.sh 755", "site 755"} <= set((docker / "modes").read_text().splitlines())
    assert (web / "site" / "page.html").stat().st_mode & 0o777 == 0o600


def test_an_unchanged_folder_costs_one_engine_call(docker: Path, root: Path, allowlist: Path) -> None:
    build(root, allowlist)
    forget_calls(docker)
    written = allowlist.stat().st_mtime_ns
    results = build(root, allowlist)
    assert {result.state for result in results} == {"unchanged"}
    assert len((docker / "calls").read_text().splitlines()) == 1
    assert allowlist.stat().st_mtime_ns == written


def test_builds_images_based_on_a_changed_folder_again(docker: Path, root: Path, allowlist: Path) -> None:
    build(root, allowlist)
    (root / "images/web/page.html").write_text("new")
    states = {result.folder: result.state for result in build(root, allowlist)}
    assert states == {"base": "unchanged", "web": "built", "mail": "unchanged", "dns": "unchanged"}
    (root / "images/base/rootfs.sh").write_text("printf other\n")
    assert {result.state for result in build(root, allowlist)} == {"built"}


def test_builds_a_removed_image_again(docker: Path, root: Path, allowlist: Path) -> None:
    build(root, allowlist)
    images = json.loads((docker / "images.json").read_text())
    del images["discovery/test-web:1"]
    (docker / "images.json").write_text(json.dumps(images))
    states = {result.folder: result.state for result in build(root, allowlist)}
    assert states["web"] == "built"


def test_force_builds_all_without_the_engines_cache(docker: Path, root: Path, allowlist: Path) -> None:
    build(root, allowlist)
    forget_calls(docker)
    assert {result.state for result in build(root, allowlist, force=True)} == {"built"}
    assert all("--no-cache" in call for call in calls(docker, "build"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"images": 3}'])
def test_writes_a_damaged_allowlist_again(docker: Path, root: Path, allowlist: Path, content: str) -> None:
    build(root, allowlist)
    good = allowlist.read_text()
    allowlist.write_text(content)
    build(root, allowlist)
    assert allowlist.read_text() == good


def test_a_failed_build_shows_the_end_of_its_log_and_where_the_rest_is(
    docker: Path, root: Path, allowlist: Path
) -> None:
    (root / "images/web/Dockerfile").write_text("FROM discovery/base:1\nRUN false\n")
    with pytest.raises(ImageBuildError) as caught:
        build(root, allowlist)
    log = allowlist.parent / "logs" / "image-web.log"
    text = str(caught.value)
    assert text.startswith("discovery/test-web:1: docker failed with exit code 1")
    assert "step 99" in text
    assert "step 10\n" not in text
    assert "ERROR: RUN false did not complete" in text
    assert f"the whole log: {log}" in text
    assert "step 10\n" in log.read_text()
    # The others are good and can be used.
    assert sorted(json.loads(allowlist.read_text())["images"]) == [
        "discovery/test-dns:1",
        "discovery/test-mail:1",
    ]


def test_does_not_build_on_a_parent_that_failed(docker: Path, root: Path, allowlist: Path) -> None:
    (root / "images/base/rootfs.sh").write_text("echo no mirror >&2; exit 7\n")
    with pytest.raises(ImageBuildError) as caught:
        build(root, allowlist)
    details = {result.folder: result.detail for result in caught.value.results}
    assert details["base"].startswith("sh failed with exit code 7\n")
    assert "no mirror" in details["base"]
    assert details["web"] == "not built, because its parent images/base failed"
    assert calls(docker, "build") == []


def test_an_image_with_a_volume_is_not_allowlisted(docker: Path, root: Path, allowlist: Path) -> None:
    (root / "images/web/Dockerfile").write_text("FROM discovery/base:1\nVOLUME /data\n")
    with pytest.raises(ImageBuildError, match="declares VOLUME /data"):
        build(root, allowlist)
    assert "discovery/test-web:1" not in json.loads(allowlist.read_text())["images"]


def test_a_fact_whose_output_was_lost_once_is_read_again(docker: Path, root: Path, allowlist: Path) -> None:
    mark = root / "asked"
    command = f"if test -e {mark}; then echo 4.2; else touch {mark}; fi"
    (root / "images/mail/image.yml").write_text(
        json.dumps(
            {
                "image": "discovery/test-mail:1",
                "summary": "s",
                "from": "base",
                "facts": {"version": command},
            }
        )
    )
    build(root, allowlist)
    row = json.loads(allowlist.read_text())["images"]["discovery/test-mail:1"]
    assert row["facts"] == {"version": "4.2"}


@pytest.mark.parametrize("command", ["echo no >&2; exit 3", "true", "printf 'a\\nb'"])
def test_a_fact_is_one_line_or_an_error(docker: Path, root: Path, allowlist: Path, command: str) -> None:
    manifest = root / "images/mail/image.yml"
    manifest.write_text(json.dumps({"image": "discovery/test-mail:1", "summary": "s", "from": "base",
                                    "facts": {"version": command}}))  # fmt: skip
    with pytest.raises(
        ImageBuildError, match=r"discovery/test-mail:1: its facts \(version\) could not be read"
    ):
        build(root, allowlist)


def test_reports_how_many_images_have_to_be_built(docker: Path, root: Path, allowlist: Path) -> None:
    build(root, allowlist)
    (root / "images/web/page.html").write_text("new")
    (root / "images/dns/zone").write_text("new")
    events: list[ImageEvent] = []
    build(root, allowlist, on_event=events.append)
    reported = [(event.number, event.of) for event in events if event.state == "building"]
    assert reported == [(1, 2), (2, 2)]


def test_builds_two_at_a_time(docker: Path, root: Path, allowlist: Path) -> None:
    running = most = 0

    def count(event: ImageEvent) -> None:
        nonlocal running, most
        running += 1 if event.state == "building" else -1
        most = max(most, running)

    build(root, allowlist, on_event=count)
    assert (running, most) == (0, 2)


def test_passes_python_packages_as_a_build_context(docker: Path, root: Path, allowlist: Path) -> None:
    uv = root / ".uv/bin/uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(
        '#!/bin/sh\necho "$@" > "$(dirname "$0")/arguments"\n'
        'while [ "$1" != --target ]; do shift; done\nmkdir -p "$2/bin"\n'
        'echo > "$2/django.py"; echo > "$2/bin/x.py"\n'
    )
    uv.chmod(0o755)
    (root / "contract/src/dryrun_contract").mkdir(parents=True)
    (root / "contract/src/dryrun_contract/base.py").write_text("x = 1\n")
    (root / "requirements.txt").write_text("django==1\n")
    (root / "images/web/image.yml").write_text(
        "{image: 'discovery/test-web:1', summary: s, from: base, "
        "python: {requirements: requirements.txt, packages: [contract]}}"
    )
    build(root, allowlist)
    assert (docker / "staged").read_text().splitlines() == [
        "site-packages/django.py",
        "site-packages/dryrun_contract/base.py",
    ]
    arguments = (uv.parent / "arguments").read_text()
    assert "--require-hashes" in arguments
    assert "--no-deps" in arguments
    assert "--only-binary :all:" in arguments


def test_reports_that_the_engine_does_not_answer(docker: Path, root: Path, allowlist: Path) -> None:
    (docker / "down").touch()
    with pytest.raises(ProgramError, match="Cannot connect to the Docker daemon"):
        build(root, allowlist)
    with pytest.raises(ProgramError, match="Cannot connect to the Docker daemon"):
        asyncio.run(list_images(root))


def test_reports_that_docker_is_not_installed(
    root: Path, allowlist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match="the program docker is not installed"):
        build(root, allowlist)


def test_lists_folders_by_what_the_engine_has(docker: Path, root: Path, allowlist: Path) -> None:
    assert {listing.state for listing in asyncio.run(list_images(root))} == {"missing"}
    build(root, allowlist)
    (root / "images/web/page.html").write_text("new")
    states = {listing.folder: listing.state for listing in asyncio.run(list_images(root))}
    assert states == {"base": "current", "web": "outdated", "mail": "current", "dns": "current"}
    images = json.loads((docker / "images.json").read_text())
    images["discovery/test-mail:1"]["Size"] = 1300
    (docker / "images.json").write_text(json.dumps(images))
    own = {listing.folder: listing.own_size for listing in asyncio.run(list_images(root))}
    assert own == {"base": 1000, "web": 0, "mail": 300, "dns": 0}


def test_building_the_projects_images_keeps_the_rows_of_replicas(
    docker: Path, root: Path, allowlist: Path
) -> None:
    stand_in = "discovery/test-stand-in:0123456789abcdef"
    rows = allowlist.parent / "replicas" / "acme" / "allowlist.json"
    rows.parent.mkdir(parents=True)
    rows.write_text(json.dumps({"images": {stand_in: {"id": f"sha256:{'a' * 64}"}}}))
    build(root, allowlist)
    assert stand_in in load_for_sessions(allowlist).images
    assert "discovery/test-web:1" in load_for_sessions(allowlist).images
