"""A bundle that is not as it says is refused, and nothing of it is used."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_bundles import ALLOWED, IMAGE, LAYER, change_row, changed, image_in, nothing_happened, take

from dryrun_local.images.archive import ArchiveError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import verification
from dryrun_local.replicas.installed import ReplicaError


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
