"""What a client may request of a container, and that nothing else reaches the engine."""

import copy
import json
import os
from ipaddress import IPv4Network
from typing import Any

import pytest
from guard_stage import ALLOWLIST, SCAN, SCAN_ID, WEB, WEB_ID, Words, judged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docker_guard.refusal import Refusal
from docker_guard.rules import labels
from docker_guard.rules.allowlist import AllowedImage, Allowlist, AllowlistFile, ImageRow, role_of
from docker_guard.rules.bodies import ULIMITS, CreateContainer, Host, parse_body
from docker_guard.rules.container_rules import container_body, fit_into_session, judge_container
from docker_guard.rules.network_rules import SessionNetwork
from docker_guard.rules.policy import Policy

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
POLICY = Policy()
FILE = AllowlistFile.model_validate_json(json.dumps(ALLOWLIST))
IMAGES = Allowlist(
    {name: AllowedImage(name, row, role_of(name, POLICY)) for name, row in FILE.images.items()}
)
WORDS = Words()
NETWORK = SessionNetwork(
    "e" * 64, WORDS.network_name, WORDS.session_id, IPv4Network("10.213.4.0/27"), WORDS.shared
)


def decided(body: Any) -> dict[str, Any]:
    """Return what the engine would get. Raises Refusal."""
    draft = judge_container(parse_body(CreateContainer, json.dumps(body).encode()), IMAGES, POLICY)
    fit_into_session(draft, NETWORK)
    return container_body(draft, NETWORK.id)


def refusal(body: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        decided(body)
    return refused.value


def is_within_limits(body: dict[str, Any]) -> bool:
    """Check limits without the rules' code: the request to the engine grants nothing more."""
    host = body["HostConfig"]
    image = next(each for each in IMAGES.images.values() if each.row.id == body["Image"])
    (endpoint,) = body["NetworkingConfig"]["EndpointsConfig"].items()
    size, files = int(host["LogConfig"]["Config"]["max-size"]), int(host["LogConfig"]["Config"]["max-file"])
    return all(
        [
            body.keys() == {"Image", "Labels", "Env", "HostConfig", "NetworkingConfig"},
            set(body["Labels"]) == set(labels.OF_CONTAINER),
            body["Labels"][labels.ROLE] == image.role,
            all(entry.split("=")[0] in image.row.environment for entry in body["Env"]),
            host["CapDrop"] == ["ALL"],
            set(host["CapAdd"]) <= set(image.row.capabilities),
            host["SecurityOpt"] == ["no-new-privileges:true"],
            host["Privileged"] is False,
            0 < host["Memory"] <= 2**29,
            host["MemorySwap"] == host["Memory"],
            10_000_000 <= host["NanoCpus"] <= 500_000_000,
            0 < host["PidsLimit"] <= 100,
            host["OomScoreAdj"] == 1000,
            host["Ulimits"] == ULIMITS,
            host["ReadonlyRootfs"] or not image.row.read_only,
            host["Tmpfs"].keys() == image.row.tmpfs.keys(),
            all({"noexec", "nosuid", "nodev"} <= set(text.split(",")) for text in host["Tmpfs"].values()),
            size * files <= POLICY.log_bytes[image.role],
            host["NetworkMode"] == endpoint[0] == NETWORK.id,
            host["RestartPolicy"]["Name"] == "no",
            host["IpcMode"] == host["CgroupnsMode"] == "private",
            host.keys()
            <= {"NetworkMode", "CapDrop", "CapAdd", "SecurityOpt", "Privileged", "Init", "IpcMode", "Memory"}
            | {"CgroupnsMode", "MemorySwap", "NanoCpus", "PidsLimit", "ReadonlyRootfs", "Tmpfs", "LogConfig"}
            | {"RestartPolicy", "OomScoreAdj", "Ulimits"},
        ]
    )


@pytest.mark.parametrize("image", [WEB, WEB_ID, WEB_ID[7:], SCAN, SCAN_ID])
def test_creates_by_id(image):
    body = WORDS.container(image if image != WEB_ID[7:] else WEB_ID) | {"Image": image}
    result = decided(body)
    assert result["Image"] in (WEB_ID, SCAN_ID)
    assert is_within_limits(result)


UNPINNED = [
    "",
    "alpine",
    "alpine:latest",
    "discovery/test-web",
    "discovery/test-other:1",
    f"sha256:{'c' * 64}",
    WEB_ID[:19],
    WEB_ID.upper(),
    f"{WEB}@{WEB_ID}",
    f"docker.io/{WEB}",
    f" {WEB}",
    "discovery/base:13",
]


@pytest.mark.parametrize("image", UNPINNED)
def test_refuses_an_image_that_is_not_pinned_never_with_404(image):
    refused = refusal(WORDS.container() | {"Image": image})
    assert (refused.rule, refused.status) == ("image", 403)


POWERS: list[tuple[str, Any]] = [
    ("Binds", ["/:/h"]),
    ("Mounts", [{"Type": "bind", "Source": "/", "Target": "/h"}]),
    ("VolumesFrom", ["x"]),
    ("Privileged", True),
    ("PidMode", "host"),
    ("IpcMode", "host"),
    ("IpcMode", "shareable"),
    ("UTSMode", "host"),
    ("UsernsMode", "host"),
    ("CgroupnsMode", "host"),
    ("CgroupParent", "/x"),
    ("Devices", [{"PathOnHost": "/dev/sda"}]),
    ("DeviceCgroupRules", ["a *:* rwm"]),
    ("DeviceRequests", [{"Driver": "x"}]),
    ("SecurityOpt", ["no-new-privileges", "seccomp=unconfined"]),
    ("SecurityOpt", []),
    ("SecurityOpt", ["no-new-privileges:false"]),
    ("CapAdd", ["SYS_ADMIN"]),
    ("CapAdd", ["ALL"]),
    ("CapAdd", ["NET_RAW"]),
    ("CapDrop", []),
    ("CapDrop", ["all"]),
    ("MaskedPaths", []),
    ("ReadonlyPaths", []),
    ("Sysctls", {"net.ipv4.ip_forward": "1"}),
    ("Runtime", "x"),
    ("PortBindings", {"80/tcp": [{}]}),
    ("PublishAllPorts", True),
    ("ExtraHosts", ["a:1.1.1.1"]),
    ("GroupAdd", ["0"]),
    ("RestartPolicy", {"Name": "always"}),
    ("RestartPolicy", {"Name": "no", "MaximumRetryCount": 1}),
    ("AutoRemove", True),
    ("OomKillDisable", True),
    ("OomScoreAdj", -1000),
    ("OomScoreAdj", 1),
    ("OomScoreAdj", 999),
    ("OomScoreAdj", "1000"),
    ("Init", True),
    ("Ulimits", [{"Name": "core"}]),
    ("Ulimits", [{"Name": "sigpending", "Soft": 1024, "Hard": 1024}]),
    ("Ulimits", [*ULIMITS, {"Name": "nofile", "Soft": 10**6, "Hard": 10**6}]),
    ("Annotations", {"a": "b"}),
    ("Memory", 2**29 + 1),
    ("Memory", 0),
    ("Memory", -1),
    ("MemorySwap", -1),
    ("MemorySwap", 2**30),
    ("MemorySwap", None),
    ("MemorySwap", 2**29 - 1),
    ("Memory", 2**23),
    ("NanoCpus", 500_000_001),
    ("NanoCpus", 9_999_999),
    ("NanoCpus", 1),
    ("PidsLimit", -1),
    ("PidsLimit", None),
    ("PidsLimit", True),
    ("ReadonlyRootfs", False),
    ("Tmpfs", {}),
    ("Tmpfs", {"/run": "size=1m,exec"}),
    ("Tmpfs", {"/run": "size=2m"}),
    ("Tmpfs", {"/run": "size=1\N{KELVIN SIGN}"}),
    ("Tmpfs", {"/run": "size=1m,size=1m"}),
    ("Tmpfs", {"/run": "size=1m,uid=0"}),
    ("Tmpfs", {"/run": ""}),
    ("Tmpfs", {"/run": "size=1m", "/etc": "size=1m"}),
    ("LogConfig", {"Type": "syslog", "Config": {}}),
    ("LogConfig", {"Type": "json-file", "Config": {}}),
    ("LogConfig", {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}}),
    ("LogConfig", {"Type": "json-file", "Config": {"max-size": "-1"}}),
    ("LogConfig", {"Type": "json-file", "Config": {"max-size": "1"}}),
    ("LogConfig", {"Type": "json-file", "Config": {"max-size": "999k"}}),
    ("LogConfig", {"Type": "json-file", "Config": {"max-size": "100k", "max-file": "10"}}),
    ("LogConfig", {"Type": "json-file", "Config": {"max-size": "1m", "env": "x"}}),
    ("LogConfig", {}),
    ("NetworkMode", "host"),
    ("NetworkMode", "bridge"),
    ("NetworkMode", "container:x"),
    ("NetworkMode", ""),
    ("Unheard", 1),
    ("memory", 1),
    ("options", None),
]


@pytest.mark.parametrize(("key", "value"), POWERS, ids=[f"{k}={json.dumps(v)[:40]}" for k, v in POWERS])
def test_refuses_every_field_that_grants_more(key, value):
    assert refusal(WORDS.with_host(**{key: value})).status == 403


TOP_LEVEL: list[tuple[str, Any]] = [
    ("Cmd", ["sh"]),
    ("Entrypoint", [""]),
    ("User", "root"),
    ("WorkingDir", "/"),
    ("Healthcheck", {"Test": ["NONE"]}),
    ("Volumes", {"/x": {}}),
    ("ExposedPorts", {"80/tcp": {}}),
    ("Hostname", "x"),
    ("Tty", True),
    ("OpenStdin", True),
    ("Binds", ["/:/h"]),  # honoured by engines up to 26
    ("Privileged", True),
    ("StopSignal", "SIGKILL"),
    ("StopTimeout", 0),
    ("image", WEB),
    ("hostconfig", {"Privileged": True}),
    ("Env", ["PATH=/x"]),
    ("Env", ["GREETING"]),
    ("Env", ["GREETING=a", "GREETING=b"]),
    ("Env", ["GREETING=a\nPATH=/x"]),
    ("Env", ["GREETING=" + "x" * 131072]),
    ("Env", [1]),
    ("Labels", {}),
]


@pytest.mark.parametrize(("key", "value"), TOP_LEVEL, ids=[f"{k}={json.dumps(v)[:40]}" for k, v in TOP_LEVEL])
def test_refuses_fields_that_are_the_images_or_unknown(key, value):
    assert refusal(WORDS.container() | {key: value}).status == 403


@pytest.mark.parametrize("label", labels.OF_CONTAINER)
def test_every_label_is_required_and_fixed(label):
    body = WORDS.container()
    assert refusal({**body, "Labels": {k: v for k, v in body["Labels"].items() if k != label}}).status == 403
    changed = {**body, "Labels": body["Labels"] | {label: "other"}}
    if label == labels.SERVICE:
        assert decided(changed)["Labels"][label] == "other"
    else:
        assert refusal(changed).rule in ("labels", "session")
    assert refusal({**body, "Labels": body["Labels"] | {"more": "x"}}).rule == "labels"


def test_the_role_is_the_images_whatever_the_label_says():
    body = WORDS.container(SCAN)
    body["Labels"][labels.ROLE] = "target"
    assert refusal(body).rule == "labels"


@pytest.mark.parametrize(
    ("piece", "is_allowed"),
    [("x" * 100_000, True), ("<" * 100_000, False), ('"' * 100_000, False), ("\u2028" * 30_000, False)],
    ids=["plain", "marks", "quotes", "separators"],
)
def test_an_environment_is_bounded_as_the_engine_stores_it(piece, is_allowed):
    keys = [f"PART_{number}" for number in range(8)]
    row = ALLOWLIST["images"][SCAN] | {"environment": keys}
    image = AllowedImage(SCAN, ImageRow.model_validate_json(json.dumps(row)), "collector")
    allowed = Allowlist({SCAN: image})
    body = WORDS.container(SCAN, Env=[f"{key}={piece}" for key in keys])
    judge = judged(
        lambda: judge_container(parse_body(CreateContainer, json.dumps(body).encode()), allowed, POLICY)
    )
    assert isinstance(judge, Refusal) is not is_allowed
    if isinstance(judge, Refusal):
        assert (judge.rule, "in total" in judge.reason) == ("environment", True)


def test_a_second_network_is_refused():
    body = WORDS.container()
    body["NetworkingConfig"]["EndpointsConfig"]["bridge"] = {}
    assert refusal(body).rule == "body"
    assert refusal(WORDS.container(NetworkingConfig={"EndpointsConfig": {"bridge": {}}})).rule == "session"


def test_every_default_counts_as_absent_and_nothing_else_does():
    for key, defaults in Host.DEFAULTS.items():
        for value in defaults:
            assert decided(WORDS.with_host(**{key: value})) == decided(WORDS.container())
        assert refusal(WORDS.with_host(**{key: "something else"})).rule == "body"


@pytest.mark.parametrize("said", [{}, {"OomScoreAdj": None}, {"OomScoreAdj": 0}, {"OomScoreAdj": 1000}])
def test_every_container_is_killed_first_when_memory_runs_out(said):
    for image in (WEB, SCAN):
        assert decided(WORDS.with_host(image, **said))["HostConfig"]["OomScoreAdj"] == 1000


@pytest.mark.parametrize("said", [{}, {"Ulimits": None}, {"Ulimits": []}, {"Ulimits": ULIMITS}])
def test_no_container_takes_what_the_kernel_grants_its_user_on_the_host(said):
    for image in (WEB, SCAN):
        assert decided(WORDS.with_host(image, **said))["HostConfig"]["Ulimits"] == ULIMITS


def test_zero_false_and_empty_are_not_the_same():
    assert refusal(WORDS.with_host(CpuShares=False)).rule == "body"
    assert refusal(WORDS.with_host(Privileged=0)).rule == "body"
    assert refusal(WORDS.with_host(CpuShares="")).rule == "body"


def test_smaller_limits_and_spellings_of_the_cli_are_kept():
    body = WORDS.with_host(
        Memory=2**28, MemorySwap=2**28, CapAdd=["CAP_CHOWN", "CHOWN"], Tmpfs={"/run": "size=512k,mode=755"}
    )
    host = decided(body)["HostConfig"]
    assert (host["Memory"], host["CapAdd"]) == (2**28, ["CHOWN"])
    assert host["Tmpfs"] == {"/run": "rw,noexec,nosuid,nodev,size=524288,mode=0755,uid=33,gid=33"}
    assert host["LogConfig"]["Config"] == {"max-size": "10000000", "max-file": "1"}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.sampled_from(
        ["", "host", "ALL", "private", "no", "/", "unconfined", WEB, "10.213.4.6", "size=1g,exec"]
    )
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [*CreateContainer.DEFAULTS, *Host.DEFAULTS, *CreateContainer.model_fields, *Host.model_fields]
KEYS = st.sampled_from([*FIELDS, *(field.lower() for field in FIELDS), "Config", "Aliases"])


def _places(value: Any) -> list[Any]:
    """Return every object and list of a document."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [
        *([value] if isinstance(value, dict | list) else []),
        *(p for each in inner for p in _places(each)),
    ]


@st.composite
def mutated_bodies(draw: st.DrawFn) -> Any:
    """Draw a valid body with some of its places changed, added to or emptied."""
    body = copy.deepcopy(WORDS.container(draw(st.sampled_from([WEB, SCAN]))))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.sampled_from(_places(body)))
        if isinstance(place, list):
            place.append(draw(VALUES))
            continue
        key = draw(st.sampled_from(list(place)) | KEYS) if place else draw(KEYS)
        if draw(st.booleans()) or key not in place:
            place[key] = draw(VALUES)
        else:
            del place[key]
    return body


@settings(
    max_examples=10_000 if NIGHTLY else 500, suppress_health_check=[HealthCheck.too_slow], deadline=None
)
@given(mutated_bodies())
def test_a_mutated_body_is_refused_or_gives_a_container_within_the_limits(body):
    match judged(lambda: decided(body)):
        case Refusal() as refused:
            assert refused.status in (400, 403)
            assert refused.reason
        case result:
            assert is_within_limits(result), result
