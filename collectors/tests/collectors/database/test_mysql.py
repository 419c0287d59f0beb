import asyncio
import hashlib
import struct
from contextlib import asynccontextmanager

import pytest
from asyncmy.errors import OperationalError
from listening import listening
from sqlalchemy.exc import DBAPIError

from discovery_collectors.collectors.database import mysql, mysql_connection
from discovery_collectors.collectors.database.login import LoginRefusedError, ServiceUnreachableError
from discovery_collectors.collectors.database.mysql import MysqlEngine
from discovery_collectors.collectors.database.service_report import DatabaseService, ServiceReport, Table
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import Credential

LOGIN = Credential(engine="mysql", username="reader", password="canary-pw")
CAPABILITIES = 0x000FA2DF & ~0x0800
"""What servers commonly offer, without TLS."""
SALT = b"12345678" + b"abcdefghijkl"
DENIED = (
    b"\xff"
    + struct.pack("<H", 1045)
    + b"#28000Access denied for user 'reader'@'10.0.0.30' (using password: YES)"
)


def greeting(plugin=b"mysql_native_password", version=b"11.8.9-MariaDB-0+deb13u1") -> bytes:
    low, high = struct.pack("<H", CAPABILITIES & 0xFFFF), struct.pack("<H", CAPABILITIES >> 16)
    return (
        b"\x0a" + version + b"\0" + struct.pack("<I", 7) + SALT[:8] + b"\0" + low + b"\x2d" + b"\x02\0"
        + high + b"\x15" + bytes(10) + SALT[8:] + b"\0" + plugin + b"\0"
    )  # fmt: skip


class FakeMysql:
    """Greets, then sends one of `answers` to each packet it gets."""

    def __init__(self, *answers: bytes, first: bytes | None = None) -> None:
        self.first = greeting() if first is None else first
        self.answers = answers
        self.received: list[bytes] = []
        self.connections = 0

    @asynccontextmanager
    async def running(self):
        async with listening(self._serve) as port:
            yield service(port)

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            writer.write(packet(0, self.first))
            for answer in self.answers:
                head = await reader.readexactly(4)
                self.received.append(await reader.readexactly(int.from_bytes(head[:3], "little")))
                writer.write(packet(head[3] + 1, answer))
            await writer.drain()
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


def packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload


def service(port: int) -> DatabaseService:
    return DatabaseService(Scope.parse(["127.0.0.1"]).admit("127.0.0.1"), port, "mysql", certain=True)


async def enter(server):
    async with server.running() as place:
        await MysqlEngine().open(place, LOGIN)


async def test_a_refused_credential_is_tried_once_and_never_sent():
    server = FakeMysql(DENIED)
    with pytest.raises(LoginRefusedError, match="Access denied for user 'reader'"):
        await enter(server)
    first = hashlib.sha1(b"canary-pw").digest()
    mask = hashlib.sha1(SALT + hashlib.sha1(first).digest()).digest()
    proof = bytes(a ^ b for a, b in zip(first, mask, strict=True))
    assert server.connections == 1
    assert proof in server.received[0]
    assert b"canary-pw" not in server.received[0]


@pytest.mark.parametrize(
    ("plugin", "answers"),
    [
        (b"mysql_native_password", [b"\xfemysql_clear_password\0"]),
        (b"mysql_native_password", [b"\xfedialog\0\x02Password: "]),
        (b"mysql_native_password", [b"\xfemysql_old_password\0"]),
        (b"mysql_native_password", [b"\xfesha256_password\0" + SALT + b"\0"]),
        (b"caching_sha2_password", [b"\x01\x04"]),
        (b"sha256_password", [b"\xfesha256_password\0" + SALT + b"\0"]),
    ],
)
async def test_a_server_that_wants_the_password_itself_does_not_get_it(plugin, answers):
    server = FakeMysql(*answers, b"\x01-----BEGIN PUBLIC KEY-----", first=greeting(plugin))
    with pytest.raises(ServiceUnreachableError, match="asks for"):
        await enter(server)
    assert not any(b"canary-pw" in each for each in server.received)
    assert not any(each in {b"\x01", b"\x02"} for each in server.received)


@pytest.mark.parametrize(
    "first",
    [b"", b"\xff\x10\x04Too many connections", b"HTTP/1.1 400 Bad Request", b"\x0a", b"\x0a" + b"9" * 4000],
)
async def test_what_does_not_greet_like_mysql_is_unreachable(first):
    with pytest.raises(ServiceUnreachableError):
        await enter(FakeMysql(first=first))


async def test_a_server_that_announces_more_than_a_catalog_holds_is_left():
    async def serve(reader, writer):
        writer.write(b"\xff\xff\xff\0" + b"x" * 1000)
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        with pytest.raises(ServiceUnreachableError, match="announces a packet of 16777215 bytes"):
            await MysqlEngine().open(service(listener.sockets[0].getsockname()[1]), LOGIN)


async def test_a_server_that_never_ends_is_left(monkeypatch):
    monkeypatch.setattr(mysql_connection, "_ALL_BYTES", 200_000)

    async def serve(reader, writer):
        writer.write(packet(0, greeting()))
        head = await reader.readexactly(4)
        await reader.readexactly(int.from_bytes(head[:3], "little"))
        writer.write(packet(2, b"\0\0\0\x02\0\0\0"))
        number = 1
        try:
            head = await reader.readexactly(4)
            await reader.readexactly(int.from_bytes(head[:3], "little"))
            writer.write(packet(1, b"\x01"))
            writer.write(packet(2, column()))
            writer.write(packet(3, b"\xfe\0\0\x02\0"))
            number = 4
            while True:
                writer.write(packet(number, b"\x64" + b"v" * 100))
                number += 1
                if number % 100 == 0:
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        with pytest.raises(ServiceUnreachableError, match="more than 200000 bytes"):
            async with asyncio.timeout(30):
                await MysqlEngine().open(service(listener.sockets[0].getsockname()[1]), LOGIN)


def text(value: bytes) -> bytes:
    return bytes([len(value)]) + value


def column() -> bytes:
    return text(b"def") + text(b"") * 3 + text(b"v") * 2 + b"\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0"


async def test_a_closed_port_is_unreachable():
    with pytest.raises(ServiceUnreachableError):
        await MysqlEngine().open(service(1), LOGIN)


async def test_needs_a_user_name():
    with pytest.raises(LoginRefusedError, match="user name"):
        await MysqlEngine().open(service(1), Credential(engine="mysql", password="p"))


class Connection:
    """Stands for a connection to a server whose databases are b, c and d."""

    async def execute(self, _):
        return self

    def scalar_one(self):
        return "8.4.5"

    async def run_sync(self, work, *arguments):
        return work(None, *arguments)


@pytest.mark.parametrize(
    ("code", "inside", "warnings"),
    [
        (3024, ["/b/t", "/d/t"], ["database c: no answer as MySQL gives one: canary"]),
        (
            2013,
            ["/b/t"],
            ["database c: no answer as MySQL gives one: canary", "1 databases after c are not inspected"],
        ),
    ],
)
async def test_a_database_that_fails_costs_no_other_its_name(emit, monkeypatch, code, inside, warnings):
    def read_tables(_, name):
        if name == "c":
            raise DBAPIError("SELECT", {}, OperationalError(code, "canary"))
        return [Table(name, "t", ["x"])], ["more than 1 tables; the first 1 are reported"] * (name == "d")

    monkeypatch.setattr(mysql, "read_databases", lambda _: ["b", "c", "d"])
    monkeypatch.setattr(mysql, "read_tables", read_tables)
    monkeypatch.setattr(mysql, "find_personal_data", lambda *_: True)
    await mysql._MysqlSession(None, Connection()).describe(ServiceReport(service(3306), emit))
    key = "127.0.0.1:3306/tcp"
    assert emit.keys("database") == [f"{key}/{name}" for name in "bcd"]
    assert emit.keys("table") == [f"{key}{path}" for path in inside]
    left_out = ["database d: more than 1 tables; the first 1 are reported"] * (len(inside) == 2)
    assert emit.warnings == [f"{key}: {each}" for each in (*warnings, *left_out)]
