"""The narrow profile is Docker's own with less, and who chooses it is the policy, never a client."""

import errno
import json
from importlib.resources import files
from typing import Any

import pytest
from guard_stage import Guard, Words

from docker_guard.policy import Policy
from docker_guard.system_calls import named, narrow_profile, with_profile, without_profile

NO_NEW_PRIVILEGES = "no-new-privileges:true"
NARROW = [NO_NEW_PRIVILEGES, f"seccomp={narrow_profile()}"]
OPENING = {"socket", "socketpair", "socketcall"}


def allowed(profile: dict[str, Any]) -> set[str]:
    return {
        name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]
    }


def test_allows_what_dockers_profile_allows_but_for_sockets():
    docker = json.loads(files("docker_guard").joinpath("vendored/seccomp-default.json").read_text())
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


def test_allows_no_program_of_another_kind_and_no_socket_of_another_family():
    narrow = json.loads(narrow_profile())
    assert {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"} <= {each["architecture"] for each in narrow["archMap"]}
    assert not any(each["subArchitectures"] for each in narrow["archMap"])
    rules = [rule for rule in narrow["syscalls"] if OPENING & set(rule["names"])]
    assert all(len(rule["args"]) == 1 and rule["args"][0]["index"] == 0 for rule in rules)
    opening = [rule for rule in rules if rule["action"] == "SCMP_ACT_ALLOW"]
    assert all(rule["args"][0]["op"] == "SCMP_CMP_EQ" for rule in opening)
    assert sorted((*rule["names"], rule["args"][0]["value"]) for rule in opening) == [
        ("socket", 1),
        ("socket", 2),
        ("socket", 10),
        ("socket", 16),
        ("socket", 17),
        ("socketpair", 1),
    ]
    lacking = [rule for rule in rules if rule not in opening]
    assert {(*rule["names"], rule["action"], rule["errnoRet"]) for rule in lacking} == {
        ("socket", "SCMP_ACT_ERRNO", errno.EAFNOSUPPORT)
    }
    *equal, (beyond, greater) = [(rule["args"][0]["value"], rule["args"][0]["op"]) for rule in lacking]
    assert (beyond, greater) == (17, "SCMP_CMP_GT")
    assert equal == [(family, "SCMP_CMP_EQ") for family in range(18) if family not in {1, 2, 10, 16, 17}]


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
