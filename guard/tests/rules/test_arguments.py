"""A command is one of the allowlist's argument lists, with this session's addresses and nothing else."""

import json
from ipaddress import IPv4Network

import pytest
from guard_stage import ALLOWLIST, SCAN, SCAN_ID, WEB, Words
from hypothesis import given
from hypothesis import strategies as st

from docker_guard.refusal import Refusal
from docker_guard.rules.allowlist import load_allowlist
from docker_guard.rules.arguments import is_within
from docker_guard.rules.bodies import CreateContainer, parse_body
from docker_guard.rules.container_rules import container_body, fit_into_session, judge_container
from docker_guard.rules.network_rules import SessionNetwork
from docker_guard.rules.policy import ConfigurationError, Policy

SUBNET = IPv4Network("10.213.4.0/27")
TEMPLATE = ["-sV", "--exclude={exclude}", "-S", "{self}", "{cidr}"]
GIVEN = ["-sV", "--exclude=10.213.4.30,10.213.4.29", "-S", "10.213.4.30", "10.213.4.0/27"]
PACED = ["--rate={rate}", "{cidr}"]
WORDS = Words()


@pytest.fixture
def decide(tmp_path):
    row = ALLOWLIST["images"][SCAN] | {"arguments": [["--help"], TEMPLATE, PACED], "max_rate": 5000}
    path = tmp_path / "allowlist.json"
    path.write_text(json.dumps({"version": 1, "images": ALLOWLIST["images"] | {SCAN: row}}))
    allowlist = load_allowlist(path, Policy())
    network = SessionNetwork("e" * 64, WORDS.network_name, WORDS.session_id, SUBNET, WORDS.shared)

    def decided(image, *command, address="10.213.4.30"):
        body = WORDS.container(image, Cmd=list(command))
        (endpoint,) = body["NetworkingConfig"]["EndpointsConfig"].values()
        endpoint["IPAMConfig"] = {"IPv4Address": address} if address else {}
        draft = judge_container(parse_body(CreateContainer, json.dumps(body).encode()), allowlist, Policy())
        fit_into_session(draft, network)
        return container_body(draft, network.id)

    return decided


def test_a_listed_command_reaches_the_engine_and_without_one_the_image_runs_its_own(decide):
    assert decide(SCAN, *GIVEN)["Cmd"] == GIVEN
    assert decide(SCAN, "--help")["Cmd"] == ["--help"]
    assert "Cmd" not in decide(SCAN)


@pytest.mark.parametrize(
    ("place", "word"),
    [
        (0, "-sS"),
        (0, "-sV\n"),
        (1, "--exclude=10.213.5.1"),
        (1, "--exclude="),
        (1, "--exclude=10.213.4.30,"),
        (1, "--exclude=10.213.4.30 -oN /x"),
        (1, "--exclude=10.213.4.300"),
        (1, "--exclude={exclude}"),
        (3, "10.213.4.29"),
        (4, "10.213.4.0/24"),
        (4, "10x213.4.0/27"),
        (4, "192.168.0.0/16"),
    ],
)
def test_a_command_that_differs_in_one_word_is_refused(decide, place, word):
    with pytest.raises(Refusal) as refused:
        decide(SCAN, *GIVEN[:place], word, *GIVEN[place + 1 :])
    assert word not in str(refused.value)


@pytest.mark.parametrize("command", [GIVEN[:-1], [*GIVEN, "--script=x"], GIVEN[::-1], ["sh", "-c", "id"]])
def test_a_command_with_other_words_is_refused(decide, command):
    with pytest.raises(Refusal):
        decide(SCAN, *command)


@pytest.mark.parametrize("rate", ["1", "500", "5000"])
def test_a_rate_up_to_the_rows_reaches_the_engine(decide, rate):
    command = [f"--rate={rate}", "10.213.4.0/27"]
    assert decide(SCAN, *command)["Cmd"] == command


@pytest.mark.parametrize(
    "rate",
    [
        "5001",
        "10000000",
        "0",
        "-1",
        "+5",
        "05",
        "5.0",
        "5e3",
        "1_000",
        " 5",
        "5 ",
        "5\n",
        "",
        "{rate}",
        "\u0665",
        "5 -x",
    ],
)
def test_a_rate_beyond_the_rows_or_in_another_spelling_is_refused(decide, rate):
    with pytest.raises(Refusal):
        decide(SCAN, f"--rate={rate}", "10.213.4.0/27")


def test_a_rate_and_addresses_in_one_word_are_each_judged_by_their_own_rule():
    word = "{rate}:{exclude}:{rate}"
    assert is_within(["5:10.213.4.30:9"], [word], SUBNET, None, 9)
    for given_word in ("5:10.213.4.30:10", "10:10.213.4.30:9", "5:10.213.5.30:9", "10.213.4.30:5:9"):
        assert not is_within([given_word], [word], SUBNET, None, 9)
    assert not is_within(["5:10.213.4.30:9"], [word], SUBNET, None)


def test_an_image_without_argument_lists_runs_its_own_command_only(decide):
    with pytest.raises(Refusal):
        decide(WEB, "--help")


def test_a_command_with_the_containers_address_needs_that_address(decide):
    with pytest.raises(Refusal):
        decide(SCAN, *GIVEN, address=None)
    with pytest.raises(Refusal):
        decide(SCAN, *GIVEN[:3], "None", GIVEN[4], address=None)


@pytest.mark.parametrize(("command", "status"), [(["--help"], 204), (["--help", "x"], 403), (["sh"], 403)])
async def test_a_container_starts_with_a_listed_command_and_with_no_other(
    guard, allowlist_file, command, status
):
    row = ALLOWLIST["images"][SCAN] | {"arguments": [["--help"]]}
    allowlist_file.write_text(json.dumps({"version": 1, "images": ALLOWLIST["images"] | {SCAN: row}}))
    guard.engine.image_configs[SCAN_ID] = {"Cmd": ["scan"]}
    words = Words()
    await guard.make_session(words)
    made = await guard.make_container(words.container(SCAN, Cmd=["--help"]))
    guard.engine.containers[made]["Config"]["Cmd"] = command
    assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == status


@given(st.lists(st.text(max_size=30), max_size=5))
def test_no_other_arguments_match(words):
    assert not is_within(words, TEMPLATE, SUBNET, None)


@pytest.mark.parametrize(
    ("image", "arguments"),
    [
        (WEB, [["--help"]]),
        (SCAN, [[]]),
        (SCAN, [["{network}"]]),
        (SCAN, [["{rate}"]]),
        (SCAN, [["{cidr"]]),
        (SCAN, [["a\nb"]]),
        (SCAN, [["x"] * 65]),
        (SCAN, ["--help"]),
    ],
)
def test_an_allowlist_with_arguments_that_could_mean_something_else_is_refused(tmp_path, image, arguments):
    row = ALLOWLIST["images"][image] | {"arguments": arguments}
    path = tmp_path / "allowlist.json"
    path.write_text(json.dumps({"version": 1, "images": {image: row}}))
    with pytest.raises(ConfigurationError):
        load_allowlist(path, Policy())


@pytest.mark.parametrize("max_rate", [0, -1, 1_000_001, "500", 2.5, True])
def test_an_allowlist_with_a_rate_outside_of_the_ceiling_is_refused(tmp_path, max_rate):
    row = ALLOWLIST["images"][SCAN] | {"arguments": [["{rate}"]], "max_rate": max_rate}
    path = tmp_path / "allowlist.json"
    path.write_text(json.dumps({"version": 1, "images": {SCAN: row}}))
    with pytest.raises(ConfigurationError):
        load_allowlist(path, Policy())
