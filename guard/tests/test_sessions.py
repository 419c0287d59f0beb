"""Deadlines only come nearer, and ceilings hold however many ask at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from guard_stage import SCAN, WEB, Guard, Words, in_seconds

from docker_guard import labels
from docker_guard.deadlines import Deadlines
from docker_guard.policy import Policy
from docker_guard.refusal import Refusal


class Clocks:
    """A wall clock that may be set, and a monotonic one that may not."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 1, 31, 12, tzinfo=UTC)
        self.steady = 100.0

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds

    def in_seconds(self, seconds: float) -> str:
        return (self.wall + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def deadlines(clocks: Clocks) -> Deadlines:
    return Deadlines(Policy(), lambda: clocks.wall, lambda: clocks.steady)


def test_a_deadline_passes(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    clocks.pass_by(59)
    assert not deadlines.is_over("s")
    clocks.pass_by(1)
    assert deadlines.is_over("s")


def test_a_clock_set_back_prolongs_nothing(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    clocks.wall -= timedelta(hours=3)
    clocks.steady += 60
    assert deadlines.is_over("s")


def test_a_clock_set_forward_ends_it_by_the_wall(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    clocks.wall += timedelta(seconds=61)
    assert deadlines.is_over("s")
    clocks.wall -= timedelta(seconds=61)
    assert deadlines.is_over("s")


@pytest.mark.parametrize("label", [None, "", "soon", "2026-01-31 13:00:00Z", "2026-01-31T13:00:00+00:00"])
def test_a_label_that_cannot_be_read_ends_after_the_longest_time(deadlines, clocks, label):
    deadlines.observe("s", label)
    clocks.pass_by(1799)
    assert not deadlines.is_over("s")
    clocks.pass_by(1)
    assert deadlines.is_over("s")


def test_a_far_label_ends_after_the_longest_time_and_by_the_networks_age(deadlines, clocks):
    deadlines.observe("far", "2099-01-01T00:00:00Z")
    deadlines.observe("old", "2099-01-01T00:00:00Z", clocks.wall + timedelta(seconds=10))
    clocks.pass_by(10)
    assert (deadlines.is_over("far"), deadlines.is_over("old")) == (False, True)
    clocks.pass_by(1790)
    assert deadlines.is_over("far")


def test_a_later_label_moves_nothing_and_a_nearer_one_does(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    deadlines.observe("s", clocks.in_seconds(600))
    with pytest.raises(Refusal):
        deadlines.check_unmoved("s", clocks.in_seconds(600))
    deadlines.observe("s", clocks.in_seconds(10))
    clocks.pass_by(10)
    assert deadlines.is_over("s")


def test_a_session_is_remembered_after_its_end_and_forgotten_in_time(deadlines, clocks):
    deadlines.observe("s", clocks.in_seconds(60))
    clocks.pass_by(61)
    deadlines.forget(keep=())
    with pytest.raises(Refusal):
        deadlines.check_unmoved("s", clocks.in_seconds(60))
    clocks.pass_by(1800)
    deadlines.forget(keep=("s",))
    assert deadlines.is_over("s")
    deadlines.forget(keep=())
    deadlines.check_unmoved("s", clocks.in_seconds(60))


@pytest.fixture
def policy() -> Policy:
    return Policy(targets=4, sessions=3, containers=7)


async def test_parallel_creates_stay_within_a_sessions_ceiling(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.create_seconds = 0.05
    replies = await asyncio.gather(*(guard.create(words.container()) for _ in range(12)))
    assert sorted(reply.status for reply in replies) == [201] * 4 + [403] * 8
    assert len(guard.engine.containers) == 4


async def test_parallel_creates_of_one_name_do_not_hide_each_other(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.create_seconds = 0.05
    names = ["dryrun-a", "dryrun-a", "dryrun-b", "dryrun-b", "dryrun-c", "dryrun-d", "dryrun-e", "dryrun-e"]
    await asyncio.gather(*(guard.create(words.container(), name) for name in names))
    assert len(guard.engine.containers) <= 4


async def test_parallel_creates_stay_within_the_ceiling_over_all(guard: Guard):
    sessions = [Words() for _ in range(3)]
    for words in sessions:
        await guard.make_session(words)
    guard.engine.create_seconds = 0.05
    await asyncio.gather(*(guard.create(words.container()) for words in sessions for _ in range(4)))
    assert len(guard.engine.containers) == 7


async def test_a_start_whose_answer_was_lost_counts_until_its_container_is_gone(guard: Guard):
    words = Words()
    await guard.make_session(words)
    first, second, third = [await guard.make_container(words.container(SCAN)) for _ in range(3)]
    guard.engine.loses_answers = True
    for lost in (first, second):
        assert (await guard.ask("POST", f"/v1.45/containers/{lost}/start")).status == 503
    guard.engine.loses_answers = False
    assert (await guard.ask("POST", f"/v1.45/containers/{third}/start")).status == 403
    await guard.ask("DELETE", f"/v1.45/containers/{first}")
    assert (await guard.ask("POST", f"/v1.45/containers/{third}/start")).status == 204


async def test_parallel_networks_stay_within_the_ceiling(guard: Guard):
    bodies = [Words().network() for _ in range(8)]
    replies = await asyncio.gather(*(guard.ask("POST", "/v1.45/networks/create", body) for body in bodies))
    assert sorted(reply.status for reply in replies) == [201] * 3 + [403] * 5


async def test_a_place_is_free_again_after_a_removal_or_a_failure(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.refuse["POST", "/containers/create"] = (500, "no space left")
    for _ in range(6):
        assert (await guard.create(words.container())).status == 500
    guard.engine.refuse.clear()
    made = [await guard.make_container(words.container()) for _ in range(4)]
    assert (await guard.create(words.container())).status == 403
    await guard.ask("DELETE", f"/v1.45/containers/{made[0]}")
    assert (await guard.create(words.container())).status == 201


@pytest.mark.parametrize(
    ("field", "limit"), [("MemoryLimit", "memory"), ("CpuCfsQuota", "CPU"), ("PidsLimit", "pids")]
)
@pytest.mark.parametrize("said", [False, None, "true", "nothing"])
async def test_no_session_begins_on_an_engine_that_does_not_enforce_a_limit(guard: Guard, field, limit, said):
    guard.engine.info[field] = said
    if said == "nothing":
        del guard.engine.info[field]
    reply = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert (reply.status, guard.decisions[-1]["rule"]) == (403, "limits")
    assert f"does not enforce limits of {limit} (" in reply.message
    assert "cgroup v2" in reply.message
    assert guard.engine.bodies("/networks/create") == []


async def test_all_limits_that_are_not_enforced_are_named_and_swap_is_not_asked_for(guard: Guard):
    guard.engine.info = {"SwapLimit": False}
    reply = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert "limits of memory, CPU, pids (" in reply.message


async def test_an_engine_that_does_not_tell_its_limits_gets_no_session(guard: Guard):
    guard.engine.refuse["GET", "/info"] = (500, "not now")
    reply = await guard.ask("POST", "/v1.45/networks/create", Words().network())
    assert (reply.status, "GET /info" in reply.message) == (503, True)
    assert guard.engine.bodies("/networks/create") == []
    guard.engine.refuse.clear()
    assert (await guard.ask("POST", "/v1.45/networks/create", Words().network())).status == 201


async def test_limits_are_asked_for_once_a_session(guard: Guard):
    words = Words()
    await guard.make_session(words)
    await guard.make_container(words.container())
    assert [path for _, path, _, _ in guard.engine.asked].count("/info") == 1


async def test_a_container_goes_into_its_own_session_only(guard: Guard):
    mine, other = Words(), Words()
    await guard.make_session(mine)
    await guard.make_session(other)
    body = mine.container(NetworkingConfig=None)
    body["HostConfig"]["NetworkMode"] = other.network_name
    assert (await guard.create(body)).status == 403
    for key, value in ((labels.OWNER, "somebody"), (labels.EXPIRES_AT, in_seconds(1700))):
        body = mine.container(WEB)
        body["Labels"][key] = value
        assert (await guard.create(body)).status == 403
    assert guard.engine.containers == {}


async def test_a_session_without_its_network_or_with_another_one_gets_nothing(guard: Guard):
    words = Words()
    assert (await guard.create(words.container())).status == 403
    sent = words.network()
    for change in ({"Internal": False}, {"Options": {}}, {"EnableIPv6": True}, {"Driver": "macvlan"}):
        guard.engine.networks.clear()
        body = {**sent, **change}
        kept = {key: body[key] for key in ("Driver", "Internal", "EnableIPv6", "IPAM", "Options")}
        guard.engine.add_network(words.shared, words.network_name, **kept)
        assert (await guard.create(words.container())).status == 403, change


async def test_nothing_is_created_or_started_after_the_deadline(guard: Guard):
    words = Words(2)
    await guard.make_session(words)
    made = await guard.make_container(words.container())
    await asyncio.sleep(2.1)
    assert (await guard.create(words.container())).status == 403
    assert (await guard.ask("POST", f"/v1.45/containers/{made}/start")).status == 403
    assert (await guard.ask("GET", f"/v1.45/containers/{made}/json")).status == 200
    assert (await guard.ask("DELETE", f"/v1.45/containers/{made}")).status == 204


async def test_a_network_made_again_does_not_prolong_its_session(guard: Guard):
    words = Words(60)
    network = await guard.make_session(words)
    await guard.ask("DELETE", f"/v1.45/networks/{network}")
    words.shared[labels.EXPIRES_AT] = in_seconds(600)
    again = await guard.ask("POST", "/v1.45/networks/create", words.network())
    assert (again.status, "nothing prolongs it" in again.message) == (403, True)
