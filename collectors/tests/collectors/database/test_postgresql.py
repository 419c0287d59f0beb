import asyncio
import struct
from contextlib import asynccontextmanager

import pytest
from listening import listening

from discovery_collectors.collectors.database.login import LoginRefusedError, ServiceUnreachableError
from discovery_collectors.collectors.database.postgresql import PostgresqlEngine
from discovery_collectors.collectors.database.postgresql_catalog import estimated_rows
from discovery_collectors.collectors.database.service_report import DatabaseService
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import Credential

MD5, CLEARTEXT = struct.pack("!i", 5) + b"salt", struct.pack("!i", 3)


def refusal(code: str, text: str) -> bytes:
    fields = b"SFATAL\0VFATAL\0C" + code.encode() + b"\0M" + text.encode() + b"\0\0"
    return b"E" + struct.pack("!i", 4 + len(fields)) + fields


WRONG = refusal("28P01", 'password authentication failed for user "reader"')


class FakePostgres:
    """Speaks the start of PostgreSQL's protocol; keeps who came and with which answer to its challenge."""

    def __init__(self, *, tls=b"N", challenge=MD5, verdict=lambda _: WRONG):
        self.tls = tls
        self.challenge = challenge
        self.verdict = verdict
        self.databases: list[str] = []
        self.answers: list[bytes] = []

    @asynccontextmanager
    async def running(self):
        async with listening(self._serve) as port:
            yield service(port)

    async def _serve(self, reader, writer):
        try:
            length = struct.unpack("!i", await reader.readexactly(4))[0]
            body = await reader.readexactly(length - 4)
            if body == struct.pack("!i", 80877103):
                writer.write(self.tls)
            else:
                words = body[4:].split(b"\0")
                database = dict(zip(words[::2], words[1::2], strict=False))[b"database"].decode()
                self.databases.append(database)
                writer.write(b"R" + struct.pack("!i", 4 + len(self.challenge)) + self.challenge)
                await reader.readexactly(1)
                length = struct.unpack("!i", await reader.readexactly(4))[0]
                self.answers.append(await reader.readexactly(length - 4))
                writer.write(self.verdict(database))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


def service(port: int) -> DatabaseService:
    return DatabaseService(Scope.parse(["127.0.0.1"]).admit("127.0.0.1"), port, "postgresql", certain=True)


LOGIN = Credential(engine="postgresql", username="reader", password="canary-pw", at=("127.0.0.1",))


async def enter(server, login=LOGIN):
    async with server.running() as place:
        await PostgresqlEngine().open(place, login)


async def test_a_refused_credential_is_tried_once():
    server = FakePostgres()
    with pytest.raises(LoginRefusedError) as refused:
        await enter(server)
    assert str(refused.value) == 'password authentication failed for user "reader"'
    assert (server.databases, len(server.answers)) == (["postgres"], 1)


async def test_other_databases_are_tried_only_when_the_login_was_accepted():
    missing = FakePostgres(verdict=lambda name: refusal("3D000", f'database "{name}" does not exist'))
    with pytest.raises(LoginRefusedError, match="the login is accepted"):
        await enter(missing)
    assert missing.databases == ["postgres", "template1", "reader"]


async def test_a_server_that_wants_the_password_itself_does_not_get_it():
    server = FakePostgres(challenge=CLEARTEXT)
    with pytest.raises(LoginRefusedError):
        await enter(server)
    assert server.answers == []


async def test_a_server_gets_an_md5_answer_only_where_the_login_is_for():
    server = FakePostgres()
    with pytest.raises(LoginRefusedError):
        await enter(server, LOGIN.model_copy(update={"at": ()}))
    assert server.answers == []


async def test_a_full_server_is_no_refusal_of_the_login():
    server = FakePostgres(verdict=lambda _: refusal("53300", "sorry, too many clients already"))
    with pytest.raises(ServiceUnreachableError, match="too many clients"):
        await enter(server)


@pytest.mark.parametrize("answer", [b"H", b"", b"\x00"])
async def test_no_name_is_sent_to_what_does_not_answer_like_postgresql(answer):
    server = FakePostgres(tls=answer)
    with pytest.raises(ServiceUnreachableError, match="does not answer as PostgreSQL does"):
        await enter(server)
    assert server.databases == []


async def test_a_closed_port_is_unreachable():
    with pytest.raises(ServiceUnreachableError, match="no connection"):
        await PostgresqlEngine().open(service(1), LOGIN)


async def test_needs_a_user_name():
    with pytest.raises(LoginRefusedError, match="user name"):
        await PostgresqlEngine().open(service(1), Credential(engine="postgresql", password="p"))


@pytest.mark.parametrize(
    ("kind", "rows", "pages", "tells_unknown", "expected"),
    [
        ("r", 120, 3, True, 120),
        ("r", -1, 0, True, None),
        ("r", 0, 0, True, 0),
        ("r", 0, 0, False, None),
        ("r", 0, 5, False, 0),
        ("m", 7, 1, True, 7),
        ("v", 0, 0, True, None),
        ("p", -1, 0, True, None),
        ("f", 10, 1, True, None),
    ],
)
def test_an_estimate_that_means_nothing_is_unknown(kind, rows, pages, tells_unknown, expected):
    assert estimated_rows(kind, rows, pages, tells_unknown=tells_unknown) == expected
