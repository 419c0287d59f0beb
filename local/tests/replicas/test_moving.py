"""A network in a file: another deployment has what was exported, and nothing else ever is installed."""

import asyncio
import gzip
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from dryrun_local.images.archive import ArchiveError, written_archive
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import moving, verification
from dryrun_local.replicas.commands import remove_replica, verify_replica
from dryrun_local.replicas.installed import ReplicaError, find, install
from dryrun_local.terminal.screen import Screen
from dryrun_replica.inventory.model import Host, Inventory, Service, Source
from dryrun_replica.levels import Level, Match
from dryrun_replica.planning.plan import make_plan
from dryrun_replica.planning.template import template_text

FAKE_DOCKER = Path(__file__).parents[1] / "images" / "fake_docker.py"
IMAGE = f"discovery/test-stand-in:{'a' * 16}"
SCANNER = "discovery/test-collector-plain:1.0"
MANIFEST = f"""\
name: plain
image: {SCANNER}
summary: Finds hosts.
provides: [host]
timeout_seconds: 60
arguments: ["{{cidr}}"]
"""
ALLOWED = {SCANNER: {"id": f"sha256:{'5' * 64}", "arguments": [["{cidr}"]]}}
BASE = f"{'the files of the base':257}ustar"
LAYER = f"{'the files of a stand-in':257}ustar"


def in_folder(path: Path, state: str = "../state") -> Installation:
    made = Installation(path / "root", path / "root" / state)
    made.root.mkdir(parents=True)
    (made.root / "templates").mkdir(parents=True)
    made.manifests.mkdir(parents=True)
    (made.manifests / "plain.yml").write_text(MANIFEST)
    made.prepare()
    made.allowlist.write_text(json.dumps({"version": 1, "images": ALLOWED}))
    return made


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(f"#!{sys.executable} -ISs\n{FAKE_DOCKER.read_text()}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture(autouse=True)
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was looked at from inside; the engine's tests do it."""
    seen: list[str] = []

    async def verify(_: Installation, __: Screen, rows: dict[str, Any]) -> None:
        seen.extend(rows)

    monkeypatch.setattr(verification, "verify_rows", verify)
    return seen


def image_in(docker: Path) -> str:
    """Put the stand-in into the fake engine; return its id."""
    fake = run_path(str(docker / "docker"))
    config = json.dumps(
        {
            "config": {"Labels": {}, "Volumes": None},
            "rootfs": {"diff_ids": [fake["sha256"](each.encode()) for each in (BASE, LAYER)]},
        }
    )
    with fake["Images"]() as images:
        fake["register"](images, IMAGE, config, [BASE, LAYER])
        return str(images[IMAGE]["Id"])


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
    assert asyncio.run(moving.export_network(acme, Screen(), "acme", path, None)) == 0
    (docker / "images.json").unlink()
    (docker / "calls").unlink()
    return path


@pytest.fixture
def there(tmp_path: Path) -> Installation:
    return in_folder(tmp_path / "there")


def take(installation: Installation, path: Path, sha256: str | None = None) -> None:
    assert asyncio.run(moving.import_bundle(installation, Screen(), path, sha256=sha256)) == 0


def nothing_happened(installation: Installation, docker: Path) -> bool:
    calls = (docker / "calls").read_text() if (docker / "calls").exists() else ""
    unpinned = json.loads(installation.allowlist.read_text())["images"] == ALLOWED
    return unpinned and not list(installation.replicas.glob("*/replica.json")) and '["load"' not in calls


def changed(path: Path, change: Callable[[Any, dict[str, bytes]], None]) -> Path:
    with tarfile.open(path) as tar:
        files = {member.name: file.read() for member in tar if (file := tar.extractfile(member)) is not None}
    about = json.loads(files.pop("index.json"))["about"]
    change(about, files)
    path.unlink()
    with written_archive(path, "network") as writer:
        writer.about = about
        for name, content in files.items():
            writer.add(name, io.BytesIO(content), len(content))
    return path


def test_another_deployment_has_the_network_after_its_images_were_verified(
    acme: Installation,
    bundle: Path,
    there: Installation,
    verified: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert moving.is_bundle((bundle,))
    take(there, bundle, moving._sha256(bundle).upper())
    assert "deploy/prepare" not in capsys.readouterr().out, "nothing was deployed from there"
    assert verified == [IMAGE]
    assert find(there, "acme").images == (IMAGE,)
    text = (there.replica_templates / "acme.yml").read_text()
    assert text == (acme.replica_templates / "acme.yml").read_text()
    assert json.loads(there.allowlist.read_text()) == json.loads(acme.allowlist.read_text())
    verified.clear()
    take(there, bundle)
    assert verified == [], "what is here and pinned is neither loaded nor verified again"
    assert asyncio.run(remove_replica(there, Screen(), "acme")) == 0
    said = capsys.readouterr().out
    assert ("deploy/prepare" in said, "1 image left" in said, IMAGE in said) == (False, True, True)


@pytest.mark.parametrize("deployed", [".env", "state"])
@pytest.mark.parametrize("is_own_state", [True, False])
def test_a_deployment_of_this_checkout_has_to_be_prepared_again(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], deployed: str, is_own_state: bool
) -> None:
    made = in_folder(tmp_path / "there", ".dryrun" if is_own_state else "other")
    (made.root / "deploy").mkdir()
    (made.root / "deploy" / deployed).touch()
    told = "The deployment takes this over when deploy/prepare runs"
    take(made, bundle)
    assert (told in capsys.readouterr().out) is is_own_state
    assert asyncio.run(remove_replica(made, Screen(), "acme")) == 0
    assert (told in capsys.readouterr().out) is is_own_state


def test_a_bundle_of_another_network_takes_the_place_of_an_installed_one_only_when_told_to(
    acme: Installation, bundle: Path, there: Installation, docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take(there, bundle)
    there_before = (there.replicas / "acme" / "replica.json").read_bytes()

    def from_other_files(_: Any, files: dict[str, bytes]) -> None:
        files["replica.json"] = files["replica.json"].replace(b"0" * 64, b"1" * 64)

    changed(bundle, from_other_files)
    with pytest.raises(ReplicaError, match=r"installed already, from other files: 1 host.*\n +to replace it"):
        take(there, bundle)
    assert (there.replicas / "acme" / "replica.json").read_bytes() == there_before
    capsys.readouterr()
    assert asyncio.run(moving.import_bundle(there, Screen(), bundle, sha256=None, replace=True)) == 0
    assert "It replaces 1 host, 1 service, from a table" in capsys.readouterr().out


def test_a_plan_that_does_not_read_is_not_exported_and_named(acme: Installation, tmp_path: Path) -> None:
    card = acme.replicas / "acme" / "replica.json"
    card.write_text(card.read_text().replace('"plan": {', '"plan": {"colour": 1,'))
    with pytest.raises(ReplicaError, match="the replica acme is damaged"):
        asyncio.run(moving.export_network(acme, Screen(), "acme", tmp_path / "acme.tar", None))


def test_an_image_that_is_gone_is_named_with_what_brings_it_back(
    acme: Installation, docker: Path, tmp_path: Path
) -> None:
    (docker / "images.json").unlink()
    for command in (
        moving.export_network(acme, Screen(), "acme", tmp_path / "acme.tar", None),
        verify_replica(acme, Screen(), "acme"),
    ):
        with pytest.raises(
            ProgramError, match=f"no {IMAGE} with the pinned id; `dryrun-local network import`"
        ):
            asyncio.run(command)


def test_layers_that_are_there_are_left_out_and_named_when_they_are_not(
    acme: Installation, docker: Path, there: Installation, tmp_path: Path
) -> None:
    present, path = tmp_path / "layers", tmp_path / "small.tar"
    layers = json.loads((docker / "images.json").read_text())[IMAGE]["RootFS"]["Layers"]
    present.write_text(f"{layers[0]}\n")
    asyncio.run(moving.export_network(acme, Screen(), "acme", path, present))
    assert BASE.encode() not in path.read_bytes()
    (docker / "images.json").unlink()
    with pytest.raises(Exception, match="1 layers that this engine was said to have"):
        take(there, path)


def _no_longer_stand_in(about: Any, files: dict[str, bytes]) -> None:
    about["images"] = {"discovery/test-postgres:17": next(iter(about["images"].values()))}


def _another_id(about: Any, files: dict[str, bytes]) -> None:
    about["images"][IMAGE]["id"] = f"sha256:{'0' * 64}"


def _other_content(about: Any, files: dict[str, bytes]) -> None:
    name = next(name for name, content in files.items() if content == LAYER.encode())
    files[name] = b"the files of somebody else"


def _rights(about: Any, files: dict[str, bytes]) -> None:
    rows = json.loads(files["allowlist.json"])
    rows["images"][IMAGE]["capabilities"] = ["SYS_ADMIN"]
    files["allowlist.json"] = json.dumps(rows).encode()


def change_row(files: dict[str, bytes], **changes: Any) -> None:
    rows = json.loads(files["allowlist.json"])
    rows["images"][IMAGE].update(changes)
    files["allowlist.json"] = json.dumps(rows).encode()


def _writable(about: Any, files: dict[str, bytes]) -> None:
    change_row(files, read_only=False)


def _environment(about: Any, files: dict[str, bytes]) -> None:
    change_row(files, environment=["LD_PRELOAD"])


def _mount_in_part(about: Any, files: dict[str, bytes]) -> None:
    change_row(files, tmpfs={"/tmp": {"size": 1000}})


def _no_truth(about: Any, files: dict[str, bytes]) -> None:
    change_row(files, ground_truth=None)


def _template_of_others(about: Any, files: dict[str, bytes]) -> None:
    card = json.loads(files["replica.json"])
    card["plan"]["templates"][0]["id"] = card["templates"][0] = "depot"
    files["replica.json"] = json.dumps(card).encode()
    files["templates/depot.yml"] = files.pop("templates/acme.yml")


def _layer_with_a_path(about: Any, files: dict[str, bytes]) -> None:
    config = json.dumps({"config": {}, "rootfs": {"diff_ids": ["sha256:../../../../etc/shadow"]}}).encode()
    number = hashlib.sha256(config).hexdigest()
    for name in [name for name in files if name.startswith("blobs/")]:
        del files[name]
    files[f"blobs/sha256/{number}"] = config
    about["images"][IMAGE]["id"] = f"sha256:{number}"
    change_row(files, id=f"sha256:{number}")


def _another_row(about: Any, files: dict[str, bytes]) -> None:
    rows = json.loads(files["allowlist.json"])
    rows["images"]["discovery/test-postgres:17"] = rows["images"][IMAGE]
    files["allowlist.json"] = json.dumps(rows).encode()


def _file_beside(about: Any, files: dict[str, bytes]) -> None:
    files["images/web/Dockerfile"] = b"FROM scratch"


def _blob_beside(about: Any, files: dict[str, bytes]) -> None:
    files[f"blobs/sha256/{'0' * 64}"] = b"x"


def _another_template(about: Any, files: dict[str, bytes]) -> None:
    files["templates/small.yml"] = files["templates/acme.yml"]


def _another_name(about: Any, files: dict[str, bytes]) -> None:
    about["name"] = "other"


def _name_with_a_path(about: Any, files: dict[str, bytes]) -> None:
    about["name"] = "../acme"


def _host_on_nothing(about: Any, files: dict[str, bytes]) -> None:
    card = json.loads(files["replica.json"])
    card["images"] = {}
    files["replica.json"] = json.dumps(card).encode()


def _host_on_a_path(about: Any, files: dict[str, bytes]) -> None:
    card = json.loads(files["replica.json"])
    card["images"]["web-1"] = "docker.io/library/nginx"
    files["replica.json"] = json.dumps(card).encode()


def _deep_card(about: Any, files: dict[str, bytes]) -> None:
    files["replica.json"] = b'{"plan":' + b"[" * 50_000


@pytest.mark.parametrize(
    "change",
    [
        _no_longer_stand_in,
        _another_id,
        _other_content,
        _rights,
        _writable,
        _environment,
        _mount_in_part,
        _no_truth,
        _template_of_others,
        _layer_with_a_path,
        _another_row,
        _file_beside,
        _blob_beside,
        _another_template,
        _another_name,
        _name_with_a_path,
        _host_on_nothing,
        _host_on_a_path,
        _deep_card,
    ],
)
def test_a_bundle_that_does_not_fit_together_is_refused_and_nothing_of_it_is_used(
    bundle: Path, there: Installation, docker: Path, change: Callable[[Any, dict[str, bytes]], None]
) -> None:
    changed(bundle, change)
    with pytest.raises(ArchiveError):
        take(there, bundle)
    assert nothing_happened(there, docker)


@pytest.mark.parametrize(
    "layer",
    [
        gzip.compress(LAYER.encode()),
        b"\x1f\x8b\x08".ljust(257) + b"ustar",
        b"BZh9".ljust(257) + b"ustar",
        b"x",
    ],
    ids=["gzip", "gzip that looks like a tar", "bzip2 that looks like a tar", "nothing"],
)
def test_a_layer_that_the_engine_would_decompress_is_not_given_to_it(
    bundle: Path, there: Installation, docker: Path, layer: bytes
) -> None:
    def compressed(about: Any, files: dict[str, bytes]) -> None:
        digest = hashlib.sha256(layer).hexdigest()
        config = json.dumps({"config": {}, "rootfs": {"diff_ids": [f"sha256:{digest}"]}}).encode()
        image = hashlib.sha256(config).hexdigest()
        for name in [name for name in files if name.startswith("blobs/")]:
            del files[name]
        files |= {f"blobs/sha256/{digest}": layer, f"blobs/sha256/{image}": config}
        about["images"][IMAGE]["id"] = f"sha256:{image}"
        change_row(files, id=f"sha256:{image}")

    with pytest.raises(ArchiveError, match="not a plain tar"):
        take(there, changed(bundle, compressed))
    assert nothing_happened(there, docker)


@pytest.mark.parametrize("place", ["/proc/sys", "/x:exec,size=9g", "/big"])
def test_a_row_that_the_allowlist_would_refuse_starts_nothing(
    bundle: Path, there: Installation, docker: Path, verified: list[str], place: str
) -> None:
    def more_room(_: Any, files: dict[str, bytes]) -> None:
        size = 2**40 if place == "/big" else 1000
        change_row(files, tmpfs={place: {"size": size, "uid": 0, "gid": 0, "mode": "0755"}})

    with pytest.raises(ReplicaError, match="would not be valid"):
        take(there, changed(bundle, more_room))
    assert verified == []
    assert nothing_happened(there, docker)


def test_what_was_loaded_and_is_not_true_is_not_left_to_be_taken_for_ones_own(
    bundle: Path, there: Installation, docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise ReplicaError("no fact is true")

    monkeypatch.setattr(verification, "verify_rows", refuse)
    with pytest.raises(ReplicaError, match="no fact is true"):
        take(there, bundle)
    assert '["load"' in (docker / "calls").read_text()
    assert json.loads((docker / "images.json").read_text()) == {}
    assert json.loads(there.allowlist.read_text())["images"] == ALLOWED


def test_the_row_that_was_verified_here_holds_when_its_image_is_loaded_again(
    bundle: Path, there: Installation, docker: Path
) -> None:
    take(there, bundle)
    row = json.loads(there.allowlist.read_text())["images"][IMAGE]
    (docker / "images.json").unlink()

    def other_truth(_: Any, files: dict[str, bytes]) -> None:
        change_row(files, ground_truth=[{"kind": "service", "key": ":22/tcp"}], capabilities=["SETUID"])

    take(there, changed(bundle, other_truth))
    assert json.loads(there.allowlist.read_text())["images"][IMAGE] == row
    assert IMAGE in json.loads((docker / "images.json").read_text())


def test_what_a_bundles_template_says_beyond_its_plan_is_not_installed(
    bundle: Path, there: Installation
) -> None:
    def more(_: Any, files: dict[str, bytes]) -> None:
        files["templates/acme.yml"] += b"\n  other:\n    image: discovery/test-postgres:17\n"

    take(there, changed(bundle, more))
    assert "postgres" not in (there.replica_templates / "acme.yml").read_text()


def _crowd(card: dict[str, Any]) -> None:
    names = [f"web-{number}" for number in range(1, 30)]
    card["plan"]["templates"][0]["sample"]["chosen"][0]["hosts"] = names
    card["images"] = dict.fromkeys(names, IMAGE)


def _more_hosts_than_it_is_made_of(card: dict[str, Any]) -> None:
    card["plan"]["hosts"] = -5


@pytest.mark.parametrize(
    ("change", "why"),
    [(_crowd, "services"), (_more_hosts_than_it_is_made_of, "hosts")],
    ids=["crowd", "hosts"],
)
def test_a_plan_whose_template_could_not_be_started_is_refused_before_anything_is_loaded(
    bundle: Path, there: Installation, docker: Path, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    def another_plan(_: Any, files: dict[str, bytes]) -> None:
        card = json.loads(files["replica.json"])
        change(card)
        files["replica.json"] = json.dumps(card).encode()

    with pytest.raises(ReplicaError, match="could not be started") as raised:
        take(there, changed(bundle, another_plan))
    assert "acme.yml:" in str(raised.value)
    assert why in str(raised.value)
    assert nothing_happened(there, docker)


def test_a_byte_that_changed_on_the_way_or_another_digest_is_refused(
    bundle: Path, there: Installation, docker: Path
) -> None:
    with pytest.raises(ArchiveError, match="another SHA-256 than the given one"):
        take(there, bundle, "0" * 64)
    content = bytearray(bundle.read_bytes())
    at = content.index(LAYER.encode())
    content[at] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(ArchiveError, match="is damaged"):
        take(there, bundle)
    bundle.write_bytes(content[: len(content) // 2])
    with pytest.raises(ArchiveError):
        take(there, bundle)
    assert nothing_happened(there, docker)


def test_another_image_of_that_name_and_hosts_without_their_image_end_the_import(
    bundle: Path, there: Installation, docker: Path
) -> None:
    def on_quiet(_: Any, files: dict[str, bytes]) -> None:
        card = json.loads(files["replica.json"])
        card["images"]["web-1"] = "discovery/test-quiet:1.0"
        files["replica.json"] = json.dumps(card).encode()

    other = bundle.with_name("other.tar")
    other.write_bytes(bundle.read_bytes())
    with pytest.raises(ReplicaError, match=r"test-quiet:1\.0, which the allowlist lacks"):
        take(there, changed(other, on_quiet))
    image_in(docker)
    held = json.loads((docker / "images.json").read_text())
    held[IMAGE]["Id"] = f"sha256:{'9' * 64}"
    (docker / "images.json").write_text(json.dumps(held))
    with pytest.raises(ReplicaError, match="the engine has another"):
        take(there, bundle)
    assert nothing_happened(there, docker)


def test_an_inventory_is_no_bundle(tmp_path: Path) -> None:
    table = tmp_path / "hosts.csv"
    table.write_text("host,port\n")
    assert not moving.is_bundle((table,))
    assert not moving.is_bundle((tmp_path / "none",))
    assert not moving.is_bundle((tmp_path,))
