import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.ground_truth import Fact
from dryrun_orchestrator.catalog.allowlist import (
    AllowlistError,
    ImageNotApprovedError,
    load_allowlist,
)
from dryrun_orchestrator.catalog.grants import CAPABILITIES
from dryrun_orchestrator.engine.protocol import Tmpfs

ID = f"sha256:{'a1' * 32}"
NGINX = {
    "id": ID,
    "environment": ["SITE"],
    "capabilities": [],
    "read_only": True,
    "tmpfs": {"/run": {"size": 1048576, "uid": 33, "gid": 33, "mode": "0755"}},
    "facts": {"version": "1.26.3"},
    "size": 123456,
}


@pytest.fixture
def load(tmp_path):
    def load_images(images, **others):
        path = tmp_path / "allowlist.json"
        path.write_text(json.dumps({"version": 1, "images": images, **others}))
        return load_allowlist(path)

    return load_images


def faults(load, images, **others):
    with pytest.raises(AllowlistError) as raised:
        load(images, **others)
    return [(fault.where.rpartition(": ")[2], fault.what) for fault in raised.value.faults]


def test_an_image_comes_with_its_id_and_its_grants(load):
    image = load({"discovery/test-nginx:1.26": NGINX}).image("discovery/test-nginx:1.26")
    assert image.id == ID
    assert image.environment == {"SITE"}
    assert image.tmpfs == {"/run": Tmpfs(size=1048576, mode="0755", uid=33, gid=33)}
    assert image.facts == {"version": "1.26.3"}
    assert image.read_only


def test_an_image_says_what_is_true_of_it_and_how_its_log_is_read(load):
    truth = [
        {"kind": "host", "key": ""},
        {"kind": "service", "key": ":80/tcp", "data": {"version": {"fact": "version"}}, "hard": "odd"},
    ]
    patterns = {"errors": r"\[error\]"}
    row = NGINX | {"ground_truth": truth, "log_patterns": patterns}
    image = load({"discovery/test-nginx:1.26": row}).image("discovery/test-nginx:1.26")
    assert image.ground_truth == (
        Fact(kind="host", key=""),
        Fact(kind="service", key=":80/tcp", data={"version": "1.26.3"}, hard="odd"),
    )
    assert image.log_patterns == patterns


def test_all_problems_of_truth_and_patterns_are_reported_with_their_places(load):
    row = NGINX | {
        "ground_truth": [{"kind": "hots", "key": ""}, {"kind": "host", "key": "", "hard": True}, 7],
        "log_patterns": {"errors": "(", "connections": "a*", "logins": "x", "slow_queries": 3},
    }
    place = "images.discovery/test-nginx:1.26"
    found = dict(faults(load, {"discovery/test-nginx:1.26": row}))
    assert {where.removeprefix(f"{place}.") for where in found} == {
        "ground_truth[0].kind",
        "ground_truth[1].hard",
        "ground_truth[2]",
        "log_patterns.errors",
        "log_patterns.connections",
        "log_patterns.logins",
        "log_patterns.slow_queries",
    }
    assert found[f"{place}.log_patterns.errors"].startswith("is not a regular expression: ")
    assert found[f"{place}.log_patterns.connections"].startswith("matches an empty line")


def test_the_name_says_the_role(load):
    allowlist = load(
        {
            "discovery/test-nginx:1.26": NGINX,
            "discovery/test-collector-network:1": {"id": ID, "capabilities": ["NET_RAW"]},
        }
    )
    assert allowlist.image("discovery/test-nginx:1.26").role == "target"
    assert allowlist.image("discovery/test-collector-network:1").role == "collector"


@pytest.mark.parametrize(
    "name", ["malicious/image:latest", "x/discovery/test-nginx:1.26", "Discovery/test-nginx:1.26", ""]
)
def test_refuses_an_image_outside_the_prefix(load, name):
    with pytest.raises(ImageNotApprovedError, match="only images under discovery/test-") as raised:
        load({"discovery/test-nginx:1.26": NGINX}).image(name)
    assert raised.value.image == name


@pytest.mark.parametrize(
    "name", ["discovery/test-nginx:1.27", "discovery/test-nginx", f"discovery/test-nginx@{ID}"]
)
def test_refuses_an_image_outside_the_allowlist_and_says_what_to_do(load, name):
    with pytest.raises(ImageNotApprovedError) as raised:
        load({"discovery/test-nginx:1.26": NGINX}).image(name)
    text = str(raised.value)
    assert name in text
    assert raised.value.file.endswith("allowlist.json")
    assert raised.value.file in text
    assert "dryrun-local images build" in text


def test_suggests_the_name_that_was_probably_meant(load):
    with pytest.raises(ImageNotApprovedError, match=r"did you mean discovery/test-nginx:1\.26\?"):
        load({"discovery/test-nginx:1.26": NGINX}).image("discovery/test-nginx:1.27")


def test_a_stand_in_that_is_missing_suggests_no_other_and_names_the_import(load):
    with pytest.raises(ImageNotApprovedError) as raised:
        load({"discovery/test-stand-in:301a17b16d2db8c8": NGINX}).image(
            "discovery/test-stand-in:301a17b16d2db8c9"
        )
    text = str(raised.value)
    assert "`dryrun-local network import`" in text
    assert "did you mean" not in text
    assert "images build" not in text


def test_a_grant_cannot_be_changed_once_loaded(load):
    image = load({"discovery/test-nginx:1.26": NGINX}).image("discovery/test-nginx:1.26")
    with pytest.raises(TypeError):
        image.tmpfs["/etc"] = Tmpfs(size=1)
    with pytest.raises(AttributeError):
        image.capabilities = ("SYS_ADMIN",)


def test_a_name_outside_the_prefix_makes_the_whole_file_refused(load):
    assert faults(load, {"discovery/test-nginx:1.26": NGINX, "evil/test:1": NGINX}) == [
        ("images.evil/test:1", "is outside discovery/test-, the only prefix that can be started")
    ]


@pytest.mark.parametrize("role", ["target", "collector"])
@pytest.mark.parametrize("capability", ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "ALL", "CAP_CHOWN", "chown"])
def test_no_file_grants_a_capability_above_the_ceiling(load, role, capability):
    name = {"target": "discovery/test-x:1", "collector": "discovery/test-collector-x:1"}[role]
    assert capability not in CAPABILITIES[role]
    [(where, what)] = faults(load, {name: {"id": ID, "capabilities": [capability]}})
    assert where == f"images.{name}.capabilities"
    assert f"{capability} cannot be granted to a {role}" in what


def test_raw_frames_are_for_collectors_only(load):
    [(_, what)] = faults(load, {"discovery/test-x:1": {"id": ID, "capabilities": ["NET_RAW"]}})
    assert what.startswith("NET_RAW cannot be granted to a target")


def test_standard_input_is_for_collectors_only(load):
    [(where, what)] = faults(load, {"discovery/test-x:1": {"id": ID, "stdin": True}})
    assert where == "images.discovery/test-x:1.stdin"
    assert "only collectors can have standard input" in what
    name = "discovery/test-collector-x:1"
    assert load({name: {"id": ID, "stdin": True}}).image(name).stdin


@pytest.mark.parametrize(
    "mount", ["/", "run", "/run/../etc", "/proc", "/proc/self", "/sys/fs", "/dev", "/dev/shm/x", "/a b"]
)
def test_refuses_a_tmpfs_that_could_cover_the_kernels_files(load, mount):
    images = {"discovery/test-x:1": {"id": ID, "tmpfs": {mount: {"size": 1}}}}
    assert len(faults(load, images)) == 1


def test_shared_memory_may_be_a_tmpfs(load):
    images = {"discovery/test-x:1": {"id": ID, "tmpfs": {"/dev/shm": {"size": 1, "mode": "1777"}}}}
    assert load(images).image("discovery/test-x:1").tmpfs["/dev/shm"].mode == "1777"


def test_every_problem_is_reported_at_once(load):
    images = {
        "discovery/test-a:1": {"id": "sha256:abc"},
        "discovery/test-b:1": {"id": ID, "tmpfs": {"/run": {"size": 0, "mode": "4755"}}},
        "discovery/test-c:1": {"id": ID, "privileged": True, "environment": ["bad key"]},
    }
    assert [where for where, _ in faults(load, images)] == [
        "images.discovery/test-a:1.id",
        "images.discovery/test-b:1.tmpfs./run.size",
        "images.discovery/test-b:1.tmpfs./run.mode",
        "images.discovery/test-c:1.environment.0",
        "images.discovery/test-c:1.privileged",
    ]


def test_every_grant_above_the_ceiling_is_reported_at_once(load):
    images = {
        "discovery/test-a": {"id": ID, "tmpfs": {"/run": {"size": 256 * 1024 * 1024 + 1}}},
        "evil/x:1": {"id": ID},
    }
    assert [where for where, _ in faults(load, images)] == [
        "images.discovery/test-a",
        "images.discovery/test-a.tmpfs./run.size",
        "images.evil/x:1",
    ]


@pytest.mark.parametrize("version", [2, "1", None])
def test_another_version_is_refused(load, version):
    assert [where for where, _ in faults(load, {}, version=version)] == ["version"]


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b"\xff", "is not JSON"),
        (b" " * (4096 * 1024 + 1), "larger than 4096 KiB"),
        (b'{"version": 1, "version": 1, "images": {}}', "keys occur twice in one object: version"),
    ],
)
def test_what_is_not_this_file_is_one_fault(tmp_path, raw, what):
    path = tmp_path / "allowlist.json"
    path.write_bytes(raw)
    with pytest.raises(AllowlistError) as raised:
        load_allowlist(path)
    [fault] = raised.value.faults
    assert what in fault.what


def test_a_missing_file_says_who_writes_it(tmp_path):
    with pytest.raises(AllowlistError, match="'dryrun-local images build' writes it"):
        load_allowlist(tmp_path / "allowlist.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
rows = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just(ID) | json_values,
        "environment": json_values,
        "capabilities": st.lists(st.text(max_size=5)) | json_values,
        "tmpfs": st.dictionaries(st.text(max_size=5), json_values) | json_values,
        "facts": json_values,
        "read_only": json_values,
    },
)


@given(images=st.dictionaries(st.sampled_from(["discovery/test-a:1", "x:1"]) | st.text(), rows | json_values))
def test_no_file_raises_anything_else_and_what_loads_is_within_the_ceilings(tmp_path_factory, images):
    path = tmp_path_factory.mktemp("allowlist") / "allowlist.json"
    path.write_text(json.dumps({"version": 1, "images": images}))
    try:
        allowlist = load_allowlist(path)
    except AllowlistError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.faults
        return
    for name, image in allowlist.images.items():
        assert name.startswith("discovery/test-")
        assert set(image.capabilities) <= CAPABILITIES[image.role]
