import asyncio
import struct
from contextlib import asynccontextmanager

import bson
import pytest
from listening import listening

from discovery_collectors.collectors.database.login import LoginRefusedError, ServiceUnreachableError
from discovery_collectors.collectors.database.mongodb import MongodbEngine, identify_server
from discovery_collectors.collectors.database.service_report import DatabaseService, ServiceReport
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import Credential

HELLO = {"ok": 1, "isWritablePrimary": True, "minWireVersion": 0, "maxWireVersion": 21, "helloOk": True}
HELLO |= {"maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000}


class FakeMongo:
    """Speaks MongoDB's wire protocol, records requests, answers from `answers`."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked: list[dict] = []

    @asynccontextmanager
    async def running(self):
        async with listening(self._serve) as port:
            yield service(port)

    async def _serve(self, reader, writer):
        try:
            while True:
                length, request, _, kind = struct.unpack("<4i", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                if kind == 2013:
                    command = bson.decode(body[5:])
                    head = struct.pack("<iB", 0, 0)
                else:  # OP_QUERY: flags, name, skip, return, document
                    command = bson.decode(body[body.index(b"\x00", 4) + 9 :])
                    head = struct.pack("<iqii", 8, 0, 0, 1)
                answer = head + bson.encode(self._answer(command))
                writer.write(
                    struct.pack("<4i", 16 + len(answer), 1, request, 2013 if kind == 2013 else 1) + answer
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, command):
        name = next(iter(command))
        self.asked.append(command)
        if name.lower() in {"hello", "ismaster"}:
            return HELLO
        answer = self.answers.get(name, {"ok": 0, "code": 59, "errmsg": f"no such command: {name}"})
        return answer(command) if callable(answer) else answer

    def count(self, name: str) -> int:
        return sum(next(iter(command)) == name for command in self.asked)


def service(port: int) -> DatabaseService:
    return DatabaseService(Scope.parse(["127.0.0.1"]).admit("127.0.0.1"), port, "mongodb", certain=True)


LOGIN = Credential(engine="mongodb", username="reader", password="canary-pw")
CLOSED = {"ok": 0, "code": 13, "errmsg": "Command listDatabases requires authentication"}
WRONG = {"ok": 0, "code": 18, "errmsg": "Authentication failed."}


def cursor(*documents):
    return {"ok": 1, "cursor": {"id": 0, "ns": "x.y", "firstBatch": list(documents)}}


CONTENT = {
    "listDatabases": {
        "ok": 1,
        "databases": [
            {"name": "admin"},
            {"name": "catalog", "empty": False},
            {"name": "asked", "empty": True},
        ],
    },
    "buildInfo": {"ok": 1, "version": "8.0.4", "gitVersion": "f" * 40},
    "listCollections": cursor(
        {"name": "system.views", "type": "collection"},
        {"name": "products", "type": "collection"},
        {"name": "cheap", "type": "view"},
    ),
    "aggregate": cursor({"_id": "name"}, {"_id": "_id"}),
    "count": {"ok": 1, "n": 6},
}


async def describe(mongo, emit, login=None):
    async with mongo.running() as place:
        session = await MongodbEngine().open(place, login)
        try:
            await session.describe(ServiceReport(place, emit))
        finally:
            await session.close()


async def test_reports_databases_collections_and_fields(emit):
    mongo = FakeMongo(**CONTENT)
    await describe(mongo, emit)
    assert [(kind, key.partition("/tcp")[2], data) for kind, key, data, _ in emit.reported] == [
        ("service", "", {"engine": "mongodb", "product": "MongoDB", "version": "8.0.4", "access": "granted"}),
        ("database", "/catalog", {"engine": "mongodb"}),
        ("table", "/catalog/products", {"rows": 6, "view": False, "columns": ["_id", "name"]}),
        ("table", "/catalog/cheap", {"rows": "unknown", "view": True, "columns": ["_id", "name"]}),
    ]
    assert mongo.count("count") == 1


async def test_only_names_of_fields_are_requested(emit):
    mongo = FakeMongo(**CONTENT)
    await describe(mongo, emit)
    asked = {next(iter(command)).lower() for command in mongo.asked}
    handshake = {"hello", "ismaster", "endsessions"}
    assert asked <= handshake | {"listdatabases", "buildinfo", "listcollections", "aggregate", "count"}
    for command in mongo.asked:
        if "aggregate" in command:
            assert command["pipeline"][0] == {"$limit": 100}
            assert command["pipeline"][3] == {"$group": {"_id": "$field.k"}}
            assert command["maxTimeMS"] > 0


async def test_a_refused_credential_is_tried_once(emit):
    mongo = FakeMongo(listDatabases=CLOSED, saslStart=WRONG)
    with pytest.raises(LoginRefusedError, match=r"Authentication failed\."):
        await describe(mongo, emit, LOGIN)
    assert mongo.count("saslStart") == 1
    assert "canary-pw" not in str(mongo.asked)


@pytest.mark.parametrize("reported", [["PLAIN"], ["PLAIN", "SCRAM-SHA-1"], [], "PLAIN"])
async def test_a_server_that_wants_the_password_itself_does_not_get_it(emit, reported, monkeypatch):
    monkeypatch.setitem(HELLO, "saslSupportedMechs", reported)
    mongo = FakeMongo(**CONTENT, saslStart=WRONG)
    with pytest.raises((LoginRefusedError, ServiceUnreachableError)):
        await describe(mongo, emit, LOGIN)
    assert {command["mechanism"] for command in mongo.asked if "saslStart" in command} <= {
        "SCRAM-SHA-1",
        "SCRAM-SHA-256",
    }
    assert b"canary-pw" not in b"".join(map(bson.encode, mongo.asked))


async def test_a_server_that_asks_for_a_login_refuses_without_one(emit):
    with pytest.raises(LoginRefusedError, match="requires authentication"):
        await describe(FakeMongo(listDatabases=CLOSED), emit)


async def test_a_collection_that_cannot_be_read_is_reported_without_fields(emit):
    mongo = FakeMongo(
        **CONTENT | {"aggregate": {"ok": 0, "code": 50, "errmsg": "operation exceeded time limit"}}
    )
    await describe(mongo, emit)
    assert emit.data("table", emit.keys("table")[0]) == {"rows": "unknown", "view": False}
    assert "catalog.products: operation exceeded time limit" in emit.warnings[0]


async def test_a_server_that_answers_something_else_is_unreachable(emit, monkeypatch):
    monkeypatch.setattr("discovery_collectors.collectors.database.mongodb._CONNECT_MS", 500)

    async def talk(_, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        with pytest.raises(ServiceUnreachableError):
            await MongodbEngine().open(service(listener.sockets[0].getsockname()[1]), None)
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ({"version": "8.0.4"}, ("MongoDB", "8.0.4", {})),
        ({"version": "8.0.4", "process": "mongos"}, ("MongoDB", "8.0.4", {})),
        (
            {"version": "7.0.0", "process": "nx_27017"},
            ("nx-27017", "", {"compatible_with": "MongoDB 7.0.0"}),
        ),
        (
            {"version": "7.0.42", "ferretdb": {"version": "v2.1.0"}},
            ("FerretDB", "2.1.0", {"compatible_with": "MongoDB 7.0.42"}),
        ),
        ({"version": "5", "process": "other"}, ("other", "", {"compatible_with": "MongoDB 5"})),
    ],
)
def test_a_server_is_called_what_it_is(build, expected):
    assert identify_server(build) == expected


@pytest.mark.parametrize(("databases", "warnings"), [(200, 0), (201, 1)])
async def test_databases_that_are_not_reported_are_said(emit, databases, warnings):
    listed = [{"name": name} for name in ("admin", "config", "local", *map(str, range(databases)))]
    answers = CONTENT | {"listDatabases": {"ok": 1, "databases": listed}, "listCollections": cursor()}
    await describe(FakeMongo(**answers), emit)
    assert len(emit.keys("database")) == 200
    said = [each.partition("tcp: ")[2] for each in emit.warnings]
    assert said == ["more than 200 databases; the first 200 are reported"] * warnings


@pytest.mark.parametrize(("fields", "more"), [(1000, {}), (1001, {"more": True})])
async def test_fields_that_are_not_reported_are_said(emit, fields, more):
    answers = CONTENT | {"aggregate": cursor(*({"_id": f"f{number:04}"} for number in range(fields)))}
    mongo = FakeMongo(**answers)
    await describe(mongo, emit)
    data = emit.data("table", emit.keys("table")[0])
    assert data.pop("columns") == [f"f{number:04}" for number in range(1000)]
    assert data == {"rows": 6, "view": False} | more
    assert {command["pipeline"][4]["$limit"] for command in mongo.asked if "aggregate" in command} == {1001}


@pytest.mark.parametrize(("kind", "counts"), [("collection", 1), ("view", 0), ("timeseries", 0)])
async def test_what_would_have_to_be_computed_is_not_counted(emit, kind, counts):
    mongo = FakeMongo(**CONTENT | {"listCollections": cursor({"name": "x", "type": kind})})
    await describe(mongo, emit)
    assert mongo.count("count") == counts
    assert emit.data("table", emit.keys("table")[0])["rows"] == (6 if counts else "unknown")
