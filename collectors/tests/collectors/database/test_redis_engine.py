import time
from contextlib import asynccontextmanager, suppress

import pytest
from listening import listening

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.database.collector import collect
from discovery_collectors.collectors.database.login import (
    CredentialNeededError,
    LoginRefusedError,
    ServiceUnreachableError,
    log_in,
)
from discovery_collectors.collectors.database.redis_engine import RedisEngine
from discovery_collectors.collectors.database.service_report import DatabaseService, ServiceReport
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import Credential
from dryrun_contract.discovery import Discovery

SERVER = "# Server\r\nredis_version:8.0.2\r\nredis_mode:standalone\r\n"
KEYSPACE = "# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb4:keys=1,expires=0,avg_ttl=0\r\n"


class FakeRedis:
    """Speaks RESP and records requests."""

    def __init__(self, *, password=None, server=SERVER, greeting=b"", keyspace=KEYSPACE):
        self.password = password
        self.keyspace = keyspace
        self.server = server
        self.greeting = greeting
        self.asked: list[list[str]] = []

    @asynccontextmanager
    async def running(self):
        async with listening(self._serve) as port:
            yield service(port)

    async def _serve(self, reader, writer):
        with suppress(ConnectionError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader, writer):
        writer.write(self.greeting)
        known = self.password is None
        while header := await reader.readline():
            words = []
            for _ in range(int(header[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2].decode())
            self.asked.append(words)
            if words[0] == "AUTH":
                known = words[-1] == self.password
                answer = "+OK" if known else "-WRONGPASS invalid username-password pair or user is disabled."
            elif not known:
                answer = "-NOAUTH Authentication required."
            else:
                text = self.server if words[1] == "server" else self.keyspace
                answer = f"${len(text)}\r\n{text}"
            writer.write(answer.encode() + b"\r\n")


def service(port: int) -> DatabaseService:
    return DatabaseService(Scope.parse(["127.0.0.1"]).admit("127.0.0.1"), port, "redis", certain=True)


def credential(password, username=None):
    return Credential(engine="redis", username=username, password=password)


async def describe(redis, emit, login=None):
    async with redis.running() as place:
        session = await RedisEngine().open(place, login)
        try:
            await session.describe(ServiceReport(place, emit))
        finally:
            await session.close()


async def test_reports_version_and_databases_and_requests_nothing_but_info(emit):
    redis = FakeRedis()
    await describe(redis, emit)
    assert [data for _, _, data, _ in emit.reported] == [
        {"engine": "redis", "product": "Redis", "version": "8.0.2", "access": "granted"},
        {"engine": "redis", "keys": 3},
        {"engine": "redis", "keys": 1},
    ]
    assert [key.rpartition("/")[2] for key in emit.keys("database")] == ["0", "4"]
    assert redis.asked == [["INFO", "server"], ["INFO", "keyspace"]]


@pytest.mark.parametrize("at", [(), ("127.0.0.2",)])
async def test_whoever_pretends_to_be_a_closed_redis_gets_no_password(at):
    redis = FakeRedis(password="anything")
    login = Credential(engine="redis", username="svc", password="canary-pw", at=at)
    async with redis.running() as place:
        with pytest.raises(CredentialNeededError):
            await log_in(RedisEngine(), place, [login])
    assert redis.asked == [["INFO", "server"]]


async def test_where_the_login_is_for_it_is_given():
    redis = FakeRedis(password="canary-pw")
    login = Credential(engine="redis", password="canary-pw", at=("127.0.0.0/8",))
    async with redis.running() as place:
        session = await log_in(RedisEngine(), place, [login])
        await session.close()
    assert ["AUTH", "canary-pw"] in redis.asked


async def test_distinguishes_valkey_from_redis(emit):
    server = SERVER + "server_name:valkey\r\nvalkey_version:8.1.1\r\n"
    await describe(FakeRedis(server=server), emit)
    assert (emit.reported[0][2]["product"], emit.reported[0][2]["version"]) == ("Valkey", "8.1.1")


@pytest.mark.parametrize("login", [credential("right"), credential("right", "reader")])
async def test_gives_the_credential_once(emit, login):
    redis = FakeRedis(password="right")
    await describe(redis, emit, login)
    assert [words for words in redis.asked if words[0] == "AUTH"] == [
        ["AUTH", *filter(None, [login.username]), "right"]
    ]


async def test_a_refused_credential_is_tried_once(emit):
    redis = FakeRedis(password="right")
    with pytest.raises(LoginRefusedError, match="invalid username-password pair"):
        await describe(redis, emit, credential("wrong"))
    assert redis.asked == [["AUTH", "wrong"]]


async def test_a_server_that_asks_for_a_password_refuses_without_one(emit):
    with pytest.raises(LoginRefusedError, match="Authentication required"):
        await describe(FakeRedis(password="right"), emit)


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff\x00\r\n", b"*9999999\r\n"]
)
async def test_what_does_not_answer_like_redis_is_unreachable(emit, monkeypatch, greeting):
    monkeypatch.setattr("discovery_collectors.collectors.database.redis_engine._ANSWER_SECONDS", 0.3)
    with pytest.raises(ServiceUnreachableError):
        await describe(FakeRedis(greeting=greeting), emit)


async def test_a_server_without_a_version_is_not_called_redis(emit):
    with pytest.raises(ServiceUnreachableError, match="names no version"):
        await describe(FakeRedis(server="# Server\r\n"), emit)
    assert emit.reported == []


async def test_a_closed_port_is_unreachable():
    with pytest.raises(ServiceUnreachableError):
        await RedisEngine().open(service(1), None)


async def test_a_run_keeps_to_its_packet_rate(emit):
    async with FakeRedis().running() as redis:
        data = {"name": "redis", "method": "probed"}
        given = Discovery(kind="service", key=str(redis.key), data=data)
        assignment = Assignment(Scope.parse(["127.0.0.1"]), max_rate=20, discoveries=(given,))
        begun = time.monotonic()
        await collect(assignment, emit)
    # Four of the connection, two requests and an answer before the last answer may come.
    assert time.monotonic() - begun > 6 / 20
    assert [kind for kind, *_ in emit.reported] == ["service", "database", "database"]


@pytest.mark.parametrize(("databases", "warnings"), [(200, 0), (201, 1)])
async def test_databases_that_are_not_reported_are_said(emit, databases, warnings):
    keyspace = "".join(f"db{number}:keys=1,expires=0,avg_ttl=0\r\n" for number in range(databases))
    await describe(FakeRedis(keyspace=f"# Keyspace\r\n{keyspace}"), emit)
    assert len(emit.keys("database")) == 200
    said = [each.partition("tcp: ")[2] for each in emit.warnings]
    assert said == ["more than 200 databases; the first 200 are reported"] * warnings
