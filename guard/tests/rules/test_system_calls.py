"""The narrow profile is Docker's own with less, and who chooses it is the policy, never a client."""

import errno
import json
import socket
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from guard_stage import Guard, Words

from docker_guard.rules.policy import Policy
from docker_guard.rules.system_calls import named, narrow_profile, with_profile, without_profile

NO_NEW_PRIVILEGES = "no-new-privileges:true"
NARROW = [NO_NEW_PRIVILEGES, f"seccomp={narrow_profile()}"]
OPENING = {"socket", "socketpair", "socketcall"}


def allowed(profile: dict[str, Any]) -> set[str]:
    return {
        name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]
    }


def test_allows_what_dockers_profile_allows_but_for_sockets():
    docker = json.loads(files("docker_guard.rules").joinpath("vendored/seccomp-default.json").read_text())
    narrow = json.loads(narrow_profile())
    assert allowed(docker) - allowed(narrow) == {"socketcall"}
    assert allowed(narrow) <= allowed(docker)
    assert narrow["defaultAction"] == docker["defaultAction"] == "SCMP_ACT_ERRNO"
    kept = [rule for rule in narrow["syscalls"] if not OPENING & set(rule["names"])]
    assert [
        {**rule, "names": sorted(set(rule["names"]) - OPENING)}
        for rule in docker["syscalls"]
        if set(rule["names"]) - OPENING
    ] == [{**rule, "names": sorted(rule["names"])} for rule in kept]


def answer(profile: dict[str, Any], family: int, kind: int, protocol: int) -> str | int:
    """Return what a profile answers to `socket`: its error, or an empty text where the kernel answers."""
    given = (family, kind, protocol)
    true: dict[str, Callable[[dict[str, Any]], bool]] = {
        "SCMP_CMP_EQ": lambda each: given[each["index"]] == each["value"],
        "SCMP_CMP_GT": lambda each: given[each["index"]] > each["value"],
        "SCMP_CMP_MASKED_EQ": lambda each: given[each["index"]] & each["value"] == each["valueTwo"],
    }
    rules = [
        rule
        for rule in profile["syscalls"]
        if "socket" in rule["names"] and all(true[each["op"]](each) for each in rule["args"])
    ]
    assert len(rules) <= 1, "libseccomp chooses by their order"
    if not rules:
        return int(profile["defaultErrnoRet"])
    return "" if rules[0]["action"] == "SCMP_ACT_ALLOW" else int(rules[0]["errnoRet"])


FLAGS = (0, int(socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK))
PROTOCOLS = {*range(300), 2**31, *(each + 2**32 for each in range(300)), 2**63}
"""Also those that the kernel, which takes the lower half, would understand as another."""


def test_allows_no_program_of_another_kind():
    narrow = json.loads(narrow_profile())
    assert {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"} <= {each["architecture"] for each in narrow["archMap"]}
    assert not any(each["subArchitectures"] for each in narrow["archMap"])


def test_allows_no_socket_of_another_family():
    narrow = json.loads(narrow_profile())
    families = {*range(60), 2**31, *(each + 2**32 for each in range(60))}
    assert {family for family in families if answer(narrow, family, 3, 0) == ""} == {1, 2, 10, 16, 17}
    others = families - {1, 2, 10, 16, 17}
    assert {answer(narrow, family, 3, 0) for family in others} == {errno.EAFNOSUPPORT}
    (pair,) = (rule for rule in narrow["syscalls"] if "socketpair" in rule["names"])
    assert (pair["action"], pair["args"]) == (
        "SCMP_ACT_ALLOW",
        [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}],
    )


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize(
    ("family", "kind", "allowed"),
    [
        (2, socket.SOCK_STREAM, {0, 6}),
        (2, socket.SOCK_DGRAM, {0, 1, 17}),
        (10, socket.SOCK_STREAM, {0, 6}),
        (10, socket.SOCK_DGRAM, {0, 17, 58}),
        (16, socket.SOCK_RAW, {0}),
        (16, socket.SOCK_DGRAM, {0}),
    ],
)
def test_allows_no_other_protocol(family, kind, allowed, flags):
    narrow = json.loads(narrow_profile())
    answers = {protocol: answer(narrow, family, kind | flags, protocol) for protocol in PROTOCOLS}
    assert {protocol for protocol, said in answers.items() if said == ""} == allowed
    assert {answers[each] for each in (132, 136, 256, 262)} == {errno.EPROTONOSUPPORT}


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("family", [2, 10])
def test_a_network_has_streams_datagrams_and_raw_sockets(family, flags):
    narrow = json.loads(narrow_profile())
    kinds = {
        kind for kind in range(16) for each in PROTOCOLS if answer(narrow, family, kind | flags, each) == ""
    }
    assert kinds == {socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW}
    assert {answer(narrow, family, socket.SOCK_RAW | flags, each) for each in PROTOCOLS} == {""}


@pytest.mark.parametrize("protocol", range(1, 32))
def test_a_kernel_without_a_protocol_of_netlink_is_what_programs_see(protocol):
    # OpenSSH lets nobody in when it gets another error for the one of audit, 9.
    assert answer(json.loads(narrow_profile()), 16, socket.SOCK_RAW, protocol) == errno.EPROTONOSUPPORT


def test_a_profile_is_taken_out_as_it_was_put_in():
    assert with_profile([NO_NEW_PRIVILEGES]) == NARROW
    assert without_profile(NARROW) == [NO_NEW_PRIVILEGES]
    assert [*map(named, NARROW)] == [NO_NEW_PRIVILEGES, "seccomp=[narrow]"]


class TestBehindAGuard:
    @pytest.fixture
    def policy(self) -> Policy:
        return Policy(seccomp="narrow")

    async def test_every_container_gets_it_and_starts(self, guard: Guard):
        words = Words()
        await guard.make_session(words)
        made = await guard.make_container(words.container())
        found = guard.engine.containers[made]
        assert found["HostConfig"]["SecurityOpt"] == NARROW
        assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == 204

    @pytest.mark.parametrize(
        "options",
        [
            [NO_NEW_PRIVILEGES],
            [NO_NEW_PRIVILEGES, "seccomp=unconfined"],
            [*NARROW, "seccomp=unconfined"],
            [NARROW[1]],
            [NO_NEW_PRIVILEGES, NARROW[1].replace("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW")],
        ],
        ids=["none", "unconfined", "a second one", "alone", "changed"],
    )
    async def test_what_has_another_one_does_not_start(self, guard: Guard, options):
        words = Words()
        await guard.make_session(words)
        made = await guard.make_container(words.container())
        guard.engine.containers[made]["HostConfig"]["SecurityOpt"] = options
        assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == 403

    async def test_a_client_may_not_ask_for_it(self, guard: Guard):
        words = Words()
        await guard.make_session(words)
        reply = await guard.ask("POST", "/v1.45/containers/create", words.with_host(SecurityOpt=NARROW))
        assert reply.status in {400, 403}


async def test_what_was_made_with_it_does_not_start_where_the_engines_is_to_be_used(guard: Guard):
    words = Words()
    await guard.make_session(words)
    made = await guard.make_container(words.container())
    guard.engine.containers[made]["HostConfig"]["SecurityOpt"] = NARROW
    assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == 403
