"""Mutual TLS: who has not proved who it is says nothing, and takes little."""

import asyncio
import ssl
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from certificates import Authority
from guard_stage import LISTEN_ID, Guard, Words, read_reply

from docker_guard.audit.metrics import CERTIFICATE_EXPIRES
from docker_guard.clients.listeners import open_listener
from docker_guard.clients.peers import Peer
from docker_guard.clients.tls import TlsDoor, TlsFiles, server_context
from docker_guard.main import main
from docker_guard.rules import labels
from docker_guard.rules.policy import ConfigurationError, Policy

PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def files_of(place: Path) -> TlsFiles:
    return TlsFiles(place / "ca.pem", place / "cert.pem", place / "key.pem")


def client_of(place: Path | None, trusting: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(trusting / "ca.pem")
    if place is not None:
        context.load_cert_chain(place / "cert.pem", place / "key.pem")
    return context


class Served:
    def __init__(self, guard: Guard, port: int, place: Path) -> None:
        self.guard, self.port, self.place = guard, port, place

    async def send(self, raw: bytes, client: Path | None, **versions: ssl.TLSVersion) -> bytes:
        """Send bytes and return all that comes back; nothing when the guard ends it."""
        context = client_of(client, self.place)
        for name, version in versions.items():
            setattr(context, name, version)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        except (OSError, EOFError):
            return b""
        try:
            writer.write(raw)
            async with asyncio.timeout(5):
                return await reader.read()
        except OSError:
            return b""
        finally:
            writer.transport.abort()


@asynccontextmanager
async def served_by(guard: Guard, policy: Policy, place: Path):
    door = TlsDoor(guard.door, server_context(files_of(place)), policy, guard.door._record)
    listener = open_listener("tcp://127.0.0.1:0")
    serving = asyncio.create_task(door.serve(listener))
    try:
        yield Served(guard, listener.getsockname()[1], place)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
async def served(guard: Guard, policy: Policy, authority: Authority):
    async with served_by(guard, policy, authority.sign("server", server=True)) as served:
        yield served


async def test_a_client_of_the_ca_is_served(served: Served, authority: Authority):
    client = authority.sign("client")
    for _ in range(3):
        reply = read_reply(await served.send(PING, client))
        assert (reply.status, reply.body) == (200, b"OK")
    assert [line["verdict"] for line in served.guard.decisions] == ["allowed"] * 3


async def test_requests_follow_each_other_on_one_connection(served: Served, authority: Authority):
    answers = await served.send(PING.replace(b"close", b"keep-alive") * 5 + PING, authority.sign("client"))
    assert answers.count(b"HTTP/1.1 200 OK") == 6


async def test_the_last_answer_is_followed_by_the_end_at_once(served: Served, authority: Authority):
    client, begun = authority.sign("client"), time.monotonic()
    assert read_reply(await served.send(PING, client)).body == b"OK"
    assert time.monotonic() - begun < served.guard.door._policy.stalled_seconds / 2


async def own_container(guard: Guard) -> str:
    own = {labels.SESSION_ID: Words().session_id}
    return guard.engine.add_container(own, "own", Config={"Labels": own})


@pytest.mark.parametrize("pieces", [1, 2, 3, 50])
async def test_a_log_that_lasts_arrives_whole(served: Served, authority: Authority, pieces: int):
    identity = await own_container(served.guard)
    engine = served.guard.engine
    engine.log_lasts, engine.log = True, b"x" * 30_000
    context = client_of(authority.sign("client"), served.place)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
    path = f"/v1.45/containers/{identity}/logs?stdout=1&follow=1"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(pieces):
            size = int(await reader.readline(), 16)
            assert await reader.readexactly(size + 2) == b"x" * size + b"\r\n"
    assert served.guard.log.lines("stream-broken") == []
    writer.transport.abort()


async def test_a_log_that_ends_leaves_the_connection_to_the_next_request(
    served: Served, authority: Authority
):
    identity = await own_container(served.guard)
    served.guard.engine.log = b"\xff" * 200_000
    asked = f"GET /v1.45/containers/{identity}/logs?stdout=1 HTTP/1.1\r\nHost: docker\r\n\r\n".encode()
    answers = await served.send(asked * 2 + PING, authority.sign("client"))
    assert answers.count(b"\xff") == 400_000
    assert answers.endswith(b"OK")


async def test_an_input_arrives_whole_from_a_client_that_ends_in_order(served: Served, authority: Authority):
    words = Words()
    await served.guard.make_session(words)
    identity = await served.guard.make_container(words.container(LISTEN_ID, OpenStdin=True))
    assert (await served.guard.ask("POST", f"/v1.45/containers/{identity}/start")).status == 204
    context, data = client_of(authority.sign("client"), served.place), bytes(range(250)) * 4000
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
    path = f"/v1.45/containers/{identity}/attach?stdin=1&stream=1"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        while not (lines := served.guard.log.lines("input", "input-broken")):
            await asyncio.sleep(0.01)
    assert lines[0]["bytes"] == len(data)
    assert served.guard.engine.inputs[identity] == data


async def test_a_reader_that_is_slow_is_cut(guard: Guard, policy: Policy, authority: Authority):
    # A door has one policy for both of its halves.
    hasty = policy.model_copy(update={"behind_seconds": 0.5, "stalled_seconds": 60})
    guard.door._policy = hasty
    identity = await own_container(guard)
    guard.engine.log_lasts, guard.engine.log = True, b"x" * 65536
    async with served_by(guard, hasty, authority.sign("server", server=True)) as served:
        context = client_of(authority.sign("client"), served.place)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context, limit=4096)
        path = f"/v1.45/containers/{identity}/logs?stdout=1&follow=1"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
        async with asyncio.timeout(10):
            while not guard.log.lines("stream-broken"):
                assert await reader.read(2048)
                await asyncio.sleep(0.02)
        (broken,) = guard.log.lines("stream-broken")
        assert broken["reason"].startswith("TimeoutError")
        writer.transport.abort()


@pytest.mark.parametrize("kind", ["none", "stranger", "server", "ended", "plain", "tls-1.2"])
async def test_nobody_else_gets_a_word_or_reaches_the_engine(
    served: Served, authority: Authority, tmp_path: Path, kind: str
):
    if kind == "plain":
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(PING)
        answer = b""
        with suppress(ConnectionError):
            answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert b"HTTP" not in answer
    else:
        client = {
            "none": lambda: None,
            "stranger": lambda: Authority(tmp_path / "other").sign("client"),
            "server": lambda: authority.sign("other", server=True),
            "ended": lambda: authority.sign("ended", ended=True),
            "tls-1.2": lambda: authority.sign("client"),
        }[kind]()
        versions = {"maximum_version": ssl.TLSVersion.TLSv1_2} if kind == "tls-1.2" else {}
        assert await served.send(PING, client, **versions) == b""
    await asyncio.sleep(0.05)
    assert served.guard.engine.asked == []
    (line,) = served.guard.decisions
    assert (line["verdict"], line["rule"]) == ("refused", "tls")


async def test_a_handshake_has_as_long_as_a_head(served: Served, policy: Policy):
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"\x16\x03\x01")
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert time.monotonic() - begun < policy.head_seconds + 1
    assert served.guard.decisions[0]["rule"] == "tls"


async def test_handshakes_count_as_connections_and_leave_others_their_half(
    guard: Guard, authority: Authority, policy: Policy
):
    place = authority.sign("server", server=True)
    patient = policy.model_copy(update={"head_seconds": 5})
    async with served_by(guard, patient, place) as served, AsyncExitStack() as exits:
        for _ in range(policy.connections):
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            exits.callback(writer.close)
        await asyncio.sleep(0.3)
        assert guard.door.crowd.size == policy.connections // 2
        assert (await guard.ask("GET", "/_ping")).status == 200
        with guard.door.crowd.admitted(Peer("other", "other")):
            pass
        assert {line["rule"] for line in guard.decisions} == {"crowd", "route"}
    async with asyncio.timeout(5):
        while guard.door.crowd.size:
            await asyncio.sleep(0.05)


class TestFromElsewhere:
    @pytest.fixture
    def policy(self):
        return Policy.model_validate({"client_networks": ["10.255.0.1/32"], "head_seconds": 30})

    async def test_another_address_is_shut_out_before_its_handshake(self, served: Served):
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert time.monotonic() - begun < 2
        assert served.guard.decisions[0]["rule"] == "peer"


def test_a_certificate_that_clients_would_refuse_is_not_served(authority: Authority, tmp_path: Path):
    place = authority.sign("server", server=True)
    other = Authority(tmp_path / "other").sign("server", server=True)
    mixed = TlsFiles(place / "ca.pem", other / "cert.pem", other / "key.pem")
    with pytest.raises(ConfigurationError, match="would refuse"):
        server_context(mixed)
    with pytest.raises(ConfigurationError, match="cannot be served"):
        server_context(TlsFiles(place / "ca.pem", tmp_path / "nothing", place / "key.pem"))


async def test_a_guard_whose_certificate_has_expired_runs_and_lets_nobody_in(
    guard: Guard, policy: Policy, authority: Authority
):
    """Without it nothing would remove what is due."""
    ended = authority.sign("ended", server=True, ended=True)
    client = authority.sign("client")
    async with served_by(guard, policy, ended) as served:
        assert await served.send(PING, client) == b""
    expires = CERTIFICATE_EXPIRES.collect()[0].samples[0].value
    assert time.time() - 2 * 86400 < expires < time.time()
    async with served_by(guard, policy, authority.sign("server", server=True)) as served:
        assert await served.send(PING, authority.sign("late", ended=True)) == b""
        assert await served.send(PING, client) != b""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tlsverify"], "needs --tlscacert, --tlscert and --tlskey"),
        (["--tlscert", "x"], "need --tlsverify"),
        (
            ["--tlsverify", "--tlscacert", "x", "--tlscert", "x", "--tlskey", "x"],
            "needs a --listen tcp://HOST:PORT",
        ),
    ],
)
def test_half_of_the_options_is_reported(options, message, capsys):
    assert main(["serve", "--allowlist", "x", "--listen", "unix:///nowhere/x", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
async def observed(guard: Guard, authority: Authority):
    """Served to the guard of a worker."""
    watching = Policy(head_seconds=0.3, body_seconds=0.3)
    guard.door._policy = watching
    async with served_by(guard, watching, authority.sign("server", server=True)) as served:
        yield served


def asked(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n".encode()


async def test_the_guard_of_a_worker_may_list_networks_and_nothing_else(
    observed: Served, authority: Authority
):
    identity = await own_container(observed.guard)
    worker, other = authority.sign("guard-b", unit="observer"), authority.sign("guard-c")
    for path in ("/version", "/v1.45/networks"):
        assert read_reply(await observed.send(asked("GET", path), worker)).status == 200
    for method, path in (
        ("GET", "/v1.45/containers/json"),
        ("GET", f"/v1.45/containers/{identity}/json"),
        ("DELETE", f"/v1.45/containers/{identity}?force=1"),
        ("POST", "/v1.45/networks/create"),
        ("POST", "/v1.45/containers/create"),
        ("GET", "/v1.45/events"),
        ("GET", "/_ping"),
    ):
        assert read_reply(await observed.send(asked(method, path), worker)).status == 403
        assert observed.guard.decisions[-1]["rule"] == "peer"
    assert identity in observed.guard.engine.containers
    assert read_reply(await observed.send(asked("GET", "/v1.45/containers/json"), other)).status == 200
