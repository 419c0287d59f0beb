"""A scanner's image is taken over as its manifest asks, or refused with every reason and its remedy."""

import json
from pathlib import Path

import pytest

from dryrun_local.collectors import adding
from dryrun_local.collectors.adding import add
from dryrun_local.collectors.installed import ScannerRefusedError, remove, trial_template
from dryrun_local.collectors.scanner_image import ScannerImage, ScannerImageError, hints, obstacles
from dryrun_local.images.allowlist_rows import installed_rows
from dryrun_local.images.folder_build import BuiltImage, allowlist_entry
from dryrun_local.images.folders import load_folders
from dryrun_local.machine.installation import Installation
from dryrun_local.runs.check import find_faults
from dryrun_local.terminal.screen import Screen

ROOT = Path(__file__).parents[3]
ID = f"sha256:{'ab' * 32}"
MANIFEST = """\
name: theirs
summary: A scanner of somebody else's.
provides: [host, service]
timeout_seconds: 60
arguments: ["--rate", "{rate}", "{cidr}"]
max_rate: 500
capabilities: [NET_RAW]
output: naabu
purpose: comparison
"""
TAG = "discovery/test-collector-theirs:1.2"


def image(**config):
    return ScannerImage("theirs:1.2", ID, 1000, {"Entrypoint": ["/scan"]} | config)


def problems(*, has_arguments=True, raw_packets=True, **config):
    return list(obstacles(image(**config), has_arguments=has_arguments, raw_packets=raw_packets))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"Volumes": {"/data": {}}}, ["VOLUME /data", "docker export"]),
        ({"Healthcheck": {"Test": ["CMD", "x"]}}, ["HEALTHCHECK NONE"]),
        ({"Entrypoint": None, "Cmd": ["scan", "-x"]}, ["no ENTRYPOINT", '["scan"]']),
        ({"User": "1000:1000"}, ["user 1000:1000", "USER root"]),
    ],
)
def test_what_an_image_may_not_do_is_said_with_its_mend(config, said):
    (problem,) = problems(**config)
    assert all(word in problem for word in said)


def test_an_image_that_asks_for_nothing_has_no_obstacle():
    assert problems() == problems(User="root") == []
    assert problems(User="scanner", raw_packets=False) == []
    assert problems(Entrypoint=None, has_arguments=False) == []
    assert len(problems(Volumes={"/a": {}}, User="x", Entrypoint=None)) == 3


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("exit code 1; it said last: open /tmp/x: Read-only file system", "--tmpfs /tmp=16m"),
        ("exit code 1; it said last: socket: Operation not permitted", "NET_RAW"),
        ("the collector ended without its end line", "reader"),
        ("it did not end within 60 s", "timeout_seconds"),
        ("exit code 127; it said last: sh: scan: No such file or directory", '["/scan"]'),
    ],
)
def test_a_trial_that_failed_is_explained(reason, hint):
    assert any(hint in each for each in hints(reason, image()))


@pytest.fixture
def installation(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    rows = {
        folder.manifest.image: allowlist_entry(
            folder.manifest,
            BuiltImage(f"sha256:{number:064x}", 0, "", ()),
            dict.fromkeys(folder.manifest.facts, "0"),
        )
        for number, folder in enumerate(load_folders(ROOT).values(), 1)
        if folder.manifest.allowlisted
    }
    (state / "allowlist.json").write_text(json.dumps({"version": 1, "images": rows}))
    return Installation(ROOT, state)


@pytest.fixture
def docker(monkeypatch):
    ran = []
    config = {"Entrypoint": ["/scan"]}

    async def capture(command, **_):
        ran.append(command)
        return 0, json.dumps([{"Id": ID, "Size": 1000, "Config": config}]), ""

    for module in ("adding", "scanner_image"):
        monkeypatch.setattr(f"dryrun_local.collectors.{module}.capture", capture)
    ran.append(config)
    return ran


async def added(installation, tmp_path, text=MANIFEST, tmpfs=()):
    path = tmp_path / "theirs.yml"
    path.write_text(text)
    return await add(installation, Screen(), "theirs:1.2", path, tmpfs)


def again(installation):
    return Installation(installation.root, installation.state, (installation.scanners,))


async def test_it_is_tagged_pinned_and_installed_with_what_its_manifest_asks_for(
    installation, tmp_path, docker
):
    done = await added(installation, tmp_path, tmpfs=("/tmp=4m",))
    assert docker[-1] == ["docker", "tag", ID, TAG]
    row = json.loads(installation.allowlist.read_text())["images"][TAG]
    assert (row["id"], row["capabilities"], row["max_rate"]) == (ID, ["NET_RAW"], 500)
    assert row["arguments"] == [["--rate", "{rate}", "{cidr}"]]
    assert row["environment"] == []
    assert row["tmpfs"]["/tmp"]["size"] == 4 * 1024 * 1024
    # Building the project's images later keeps it, and a check finds nothing.
    assert installed_rows(installation.state) == {TAG: row}
    assert list(find_faults(again(installation))) == []
    assert (installation.scanners / "templates" / f"{done.template}.yml").is_file()


async def test_it_is_removed_without_a_trace_but_the_image(installation, tmp_path, docker):
    before = installation.allowlist.read_text()
    await added(installation, tmp_path)
    # The services' folder of manifests is gathered from all added folders.
    from dryrun_local.machine.added_folders import gather

    gather(again(installation))
    assert remove(again(installation), "theirs") == TAG
    assert json.loads(installation.allowlist.read_text()) == json.loads(before)
    assert not list((installation.scanners / "manifests").iterdir())
    assert installed_rows(installation.state) == {}
    with pytest.raises(ScannerRefusedError, match="no scanner theirs was added"):
        remove(again(installation), "theirs")


async def test_one_whose_installation_broke_off_before_services_could_read_it_can_be_removed(
    installation, tmp_path, docker, monkeypatch
):
    before = json.loads(installation.allowlist.read_text())
    inspected = adding.capture

    async def refuse_tags(command, **given):
        return (1, "", "no space left") if "tag" in command else await inspected(command, **given)

    monkeypatch.setattr(adding, "capture", refuse_tags)
    with pytest.raises(ScannerImageError, match="docker tag failed: no space left"):
        await added(installation, tmp_path)
    assert remove(again(installation), "theirs") == TAG
    assert json.loads(installation.allowlist.read_text()) == before
    assert installed_rows(installation.state) == {}


async def test_with_it_go_rows_that_a_removal_left_which_was_killed(installation, tmp_path, docker):
    before = json.loads(installation.allowlist.read_text())
    await added(installation, tmp_path, MANIFEST.replace("theirs", "other"))
    (installation.scanners / "manifests" / "other.yml").unlink()
    await added(installation, tmp_path)
    remove(again(installation), "theirs")
    assert json.loads(installation.allowlist.read_text()) == before
    assert installed_rows(installation.state) == {}


async def test_another_one_whose_manifest_is_damaged_keeps_its_row(installation, tmp_path, docker):
    await added(installation, tmp_path, MANIFEST.replace("theirs", "other"))
    await added(installation, tmp_path)
    (installation.scanners / "manifests" / "other.yml").write_text("{")
    remove(again(installation), "theirs")
    assert list(installed_rows(installation.state)) == [TAG.replace("theirs", "other")]


@pytest.mark.parametrize("damage", ["allowlist", "manifest"])
async def test_one_is_removed_whatever_does_not_read_any_more(installation, tmp_path, docker, damage):
    await added(installation, tmp_path)
    manifest = installation.scanners / "manifests" / "theirs.yml"
    broken = installation.allowlist if damage == "allowlist" else manifest
    broken.write_text("{")
    remove(again(installation), "theirs")
    assert installed_rows(installation.state) == {}
    assert not manifest.exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: theirs", "name: The irs", "needs a name"),
        ("output: naabu", "output: naaabu", "output: is 'naaabu'; known are ndjson, nmap-xml, csv"),
        ("[NET_RAW]", "[NET_ADMIN]", "NET_ADMIN cannot be granted to a collector"),
        ("name: theirs", "name: network", "the name network already belongs to another collector"),
        (
            "name: theirs",
            "name: theirs\nimage: discovery/test-collector-web:1.0",
            "the name discovery/test-collector-web:1.0 belongs to another image",
        ),
        ("{cidr}", "{target}", "has braces around something other than"),
        ("name: theirs", "name: theirs\nimage: nginx:1", "is not under discovery/test-collector-"),
        ("max_rate: 500", "max_rate: 0", "max_rate: is 0"),
        ("summary:", "sumary:", "the key 'sumary' is outside"),
    ],
)
async def test_a_manifest_with_a_fault_installs_nothing(installation, tmp_path, docker, old, new, said):
    before = installation.allowlist.read_text()
    assert old in MANIFEST
    with pytest.raises(ScannerRefusedError) as refused:
        await added(installation, tmp_path, MANIFEST.replace(old, new))
    assert said in str(refused.value)
    assert str(tmp_path / "state") not in str(refused.value)
    assert installation.allowlist.read_text() == before
    assert not installation.scanners.exists()
    assert not any("tag" in command for command in docker[1:])


async def test_an_allowlist_that_is_older_than_the_project_is_not_blamed_on_the_scanner(
    installation, tmp_path, docker
):
    content = json.loads(installation.allowlist.read_text())
    content["images"]["discovery/test-collector-nmap:7.95"]["arguments"] = [["-sn", "{rate}", "{cidr}"]]
    installation.allowlist.write_text(json.dumps(content))
    with pytest.raises(ScannerRefusedError, match="The scanner causes none of this: `dryrun-local"):
        await added(installation, tmp_path)
    with pytest.raises(ScannerRefusedError) as refused:
        await added(installation, tmp_path, MANIFEST.replace("output: naabu", "output: x"))
    assert "None of this" not in str(refused.value)


async def test_an_image_with_obstacles_installs_nothing(installation, tmp_path, docker):
    docker[0] |= {"Volumes": {"/data": {}}, "User": "x"}
    with pytest.raises(ScannerImageError, match=r"VOLUME /data.*\n.*user x"):
        await added(installation, tmp_path)
    assert not installation.scanners.exists()


def test_the_network_to_try_it_on_has_a_name_of_its_own():
    assert trial_template("masscan") == "try-masscan"
    assert len(trial_template("x" * 40)) == 40
