import socket

import pytest
from listening import listening

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.database import collector as database
from discovery_collectors.collectors.database import engines as engine_table
from discovery_collectors.collectors.database.collector import collect, find_services
from discovery_collectors.collectors.database.engines import ENGINES, load_engine
from discovery_collectors.collectors.database.login import LoginRefusedError, ServiceUnreachableError
from discovery_collectors.collectors.database.service_report import DatabaseService, Table
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import Credential
from dryrun_contract.discovery import Discovery

HERE = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")
SCOPE = Scope.parse(["10.0.0.0/24"], ["10.0.0.9"])


def service(key, confidence=0.9, **data):
    return Discovery(kind="service", key=key, data=data, confidence=confidence)


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        ("10.0.0.3:5432/tcp", {"name": "postgresql", "method": "probed"}, ("postgresql", True)),
        ("10.0.0.3:15432/tcp", {"name": "postgresql", "method": "probed"}, ("postgresql", True)),
        ("10.0.0.3:27017/tcp", {"name": "mongodb", "method": "probed"}, ("mongodb", True)),
        ("10.0.0.3:6379/tcp", {"name": "redis", "method": "table"}, ("redis", False)),
        ("10.0.0.3:6379/tcp", {"name": "unknown", "method": "probed"}, ("redis", False)),
        ("10.0.0.3:5432/tcp", {}, ("postgresql", False)),
        ("10.0.0.3:13306/tcp", {"name": "mysql", "method": "probed"}, ("mysql", True)),
        ("10.0.0.3:11211/tcp", {"name": "memcached", "method": "probed"}, None),
        ("10.0.0.3:5432/tcp", {"name": "http", "method": "probed"}, None),
        ("10.0.0.3:80/tcp", {"name": "http", "method": "table"}, None),
        ("10.0.0.3:8080/tcp", {}, None),
        ("10.0.0.3:5432/udp", {}, None),
    ],
)
def test_recognises_an_engine_by_a_services_answers_or_else_by_its_port(key, data, expected, emit):
    found = [(each.engine, each.certain) for each in find_services([service(key, **data)], SCOPE, emit)]
    assert found == ([expected] if expected else [])


def test_a_service_reported_twice_is_inspected_once_as_the_most_confident_report_describes_it(emit):
    tellings = [
        service("10.0.0.3:5432/tcp", 0.9, name="http", method="probed"),
        service("10.0.0.3:5432/tcp", 0.27, name="postgresql", method="table"),
    ]
    assert list(find_services(tellings, SCOPE, emit)) == []
    assert len(list(find_services([tellings[1]] * 2, SCOPE, emit))) == 1


def test_refuses_what_lies_outside_the_targets_with_a_warning(emit):
    given = [
        service(f"{host}:5432/tcp")
        for host in ("10.0.0.3", "10.0.0.9", "192.0.2.1", "db.example", "[fd00::1]")
    ]
    assert [each.address for each in find_services(given, SCOPE, emit)] == ["10.0.0.3"]
    assert emit.warnings == [
        "10.0.0.9:5432/tcp is not inspected: 10.0.0.9 is excluded",
        "192.0.2.1:5432/tcp is not inspected: 192.0.2.1 lies outside the targets",
        "db.example:5432/tcp is not inspected: 'db.example' is not an IPv4 address",
        "[fd00::1]:5432/tcp is not inspected: 'fd00::1' is not an IPv4 address",
    ]


class Session:
    async def describe(self, report):
        report.granted("PostgreSQL", "17.6")
        report.database("shop")
        report.table(("shop", "public", "orders"), Table("public", "orders", ["id"], rows=-1))

    async def close(self):
        pass


def engine_that(outcome, *, anonymous=False):
    class Engine:
        in_clear = False
        product = "PostgreSQL"

        async def open(self, service, credential):
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    Engine.anonymous = anonymous
    return Engine()


async def look(monkeypatch, emit, engines, *, name="postgresql", credentials=True):
    """Look into one service for each of `engines`, at 10.0.0.1 and following."""
    waiting = iter(engines)
    monkeypatch.setattr(database, "load_engine", lambda _: next(waiting))
    method = "probed" if name else "table"
    found = tuple(
        service(f"10.0.0.{number}:5432/tcp", name=name, method=method) for number, _ in enumerate(engines, 1)
    )
    login = (Credential(engine="postgresql", username="u", password="s3cret"),) if credentials else ()
    await collect(Assignment(SCOPE, credentials=login, discoveries=found), emit)


async def test_reports_what_lies_inside(monkeypatch, emit):
    await look(monkeypatch, emit, [engine_that(Session())])
    assert emit.reported == [
        (
            "service",
            "10.0.0.1:5432/tcp",
            {"engine": "postgresql", "product": "PostgreSQL", "version": "17.6", "access": "granted"},
            1.0,
        ),
        ("database", "10.0.0.1:5432/tcp/shop", {"engine": "postgresql"}, 1.0),
        (
            "table",
            "10.0.0.1:5432/tcp/shop/public/orders",
            {"rows": "unknown", "view": False, "columns": ["id"]},
            1.0,
        ),
    ]
    assert emit.progressed[0] == (0, 1, "1 service to inspect")
    assert emit.progressed[-1][:2] == (1, 1)


async def test_nothing_is_imported_while_a_server_is_waited_for(monkeypatch, emit):
    done = []

    class Engine:
        product, anonymous, in_clear = "", True, False

        async def open(self, service, credential):
            done.append("opens")
            return Session()

    def import_engine(name):
        done.append(f"imports {name}")
        return Engine

    for module in (database, engine_table):
        monkeypatch.setattr(module, "import_engine", import_engine)
    found = (
        service("10.0.0.1:5432/tcp", name="postgresql", method="probed"),
        service("10.0.0.2:27017/tcp", name="mongodb", method="probed"),
    )
    await collect(Assignment(SCOPE, discoveries=found), emit)
    first = done.index("opens")
    assert {"imports postgresql", "imports mongodb"} <= {*done[:first]}


async def test_a_refused_login_is_reported_with_its_reason(monkeypatch, emit):
    await look(monkeypatch, emit, [engine_that(LoginRefusedError("wrong password"))])
    assert emit.reported[0][2:] == (
        {"engine": "postgresql", "product": "PostgreSQL", "access": "refused", "reason": "wrong password"},
        0.95,
    )


async def test_a_missing_credential_is_reported_without_a_product_that_was_not_seen(monkeypatch, emit):
    await look(monkeypatch, emit, [engine_that(Session())], credentials=False)
    reported = emit.data("service", "10.0.0.1:5432/tcp")
    assert reported == {
        "engine": "postgresql",
        "access": "no credential",
        "reason": "there is no credential for this engine",
    }


@pytest.mark.parametrize("store", ["mysql", "mariadb"])
async def test_a_login_for_either_name_of_mysql_fits(monkeypatch, emit, store):
    shown = []

    class Engine:
        product, anonymous, in_clear = "", False, False

        async def open(self, service, credential):
            shown.append(credential.username)
            return Session()

    monkeypatch.setattr(database, "load_engine", lambda _: Engine())
    login = Credential(engine=store, username="reader", password="s3cret")
    found = (service("10.0.0.1:3306/tcp", name="mysql", method="probed"),)
    await collect(Assignment(SCOPE, credentials=(login,), discoveries=found), emit)
    assert shown == ["reader"]


async def test_a_service_that_only_its_port_suggests_is_no_discovery_when_it_does_not_answer(
    monkeypatch, emit
):
    await look(monkeypatch, emit, [engine_that(ServiceUnreachableError("it does not answer"))], name="")
    assert emit.reported == []
    assert emit.warnings == ["10.0.0.1:5432/tcp: it does not answer"]


@pytest.mark.parametrize(
    "error", [ServiceUnreachableError("the connection was lost"), LoginRefusedError("no right to see it")]
)
async def test_what_fails_after_a_login_is_no_failed_login(monkeypatch, emit, error):
    class Broken(Session):
        async def describe(self, report):
            await super().describe(report)
            raise error

    await look(monkeypatch, emit, [engine_that(Broken())])
    assert emit.data("service", "10.0.0.1:5432/tcp")["access"] == "granted"
    assert emit.warnings == [f"10.0.0.1:5432/tcp: {error}; what was reported until then stands"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("127.0.0.1:5432: refused", "10.0.0.3:6000: refused"),
        ('server at "127.0.0.1", port 5432 failed', 'server at "10.0.0.3", port 6000 failed'),
        ("'127.0.0.1' (5432)", "'10.0.0.3' (6000)"),
        ("code 5432 of 15432, 127.0.0.1:54321", "code 5432 of 15432, 127.0.0.1:54321"),
        ('no entry for host "127.0.0.1", user', 'no entry for host "127.0.0.1", user'),
        ("1127.0.0.1:5432", "1127.0.0.1:5432"),
    ],
)
def test_only_the_relay_s_own_place_is_replaced_in_a_message(text, said):
    address = SCOPE.admit("10.0.0.3")
    there = DatabaseService(address, 6000, "mysql", certain=True, relay=("127.0.0.1", 5432))
    assert database._said(ServiceUnreachableError(text), there) == said


async def test_a_service_that_makes_a_library_fail_spoils_no_other(monkeypatch, emit):
    await look(monkeypatch, emit, [engine_that(TypeError("canary-value")), engine_that(Session())])
    assert "10.0.0.2:5432/tcp/shop" in emit.keys("database")
    assert emit.warnings == ["10.0.0.1:5432/tcp: its answers make no sense to the client library (TypeError)"]


async def test_a_service_that_never_ends_is_left(monkeypatch, emit):
    import asyncio

    class Endless(Session):
        async def describe(self, report):
            report.database("first")
            await asyncio.sleep(60)

    monkeypatch.setattr(database, "_SERVICE_SECONDS", 0.1)
    await look(monkeypatch, emit, [engine_that(Endless()), engine_that(Session())])
    assert emit.keys("database") == ["10.0.0.1:5432/tcp/first", "10.0.0.2:5432/tcp/shop"]
    assert "stopped after 0.1 s" in emit.warnings[0]


@pytest.mark.parametrize("name", ENGINES)
async def test_every_engine_connects_where_its_service_is_reached(name):
    came, strayed = [], []

    async def answer(reader, writer):
        came.append(await reader.read(8))
        # PostgreSQL goes on to its login on a second connection.
        writer.write(b"N")
        writer.close()

    async def stray(reader, writer):
        strayed.append(name)
        writer.close()

    async with listening(stray) as elsewhere, listening(answer) as relay:
        there = DatabaseService(HERE, elsewhere, name, certain=True, relay=("127.0.0.1", relay))
        with pytest.raises((LoginRefusedError, ServiceUnreachableError)):
            await load_engine(name).open(there, Credential(engine=name, username="u", password="p"))
    assert (len(came) >= (2 if name == "postgresql" else 1), strayed) == (True, [])


async def test_a_slow_run_reports_why_a_service_is_not_reached_and_that_it_is_slow(emit):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"127.0.0.1:{taken.getsockname()[1]}/tcp"
    given = service(closed, name="postgresql", method="probed")
    login = Credential(engine="postgresql", username="u", password="s3cret")
    here = Scope.parse(["127.0.0.1"])
    await collect(Assignment(here, max_rate=9, credentials=(login,), discoveries=(given,)), emit)
    assert emit.data("service", closed)["reason"].startswith("no connection: ")
    assert "below 10 packets per second" in emit.warnings[0]


async def test_a_slow_run_names_the_service_and_not_the_relay(emit):
    async def answer(reader, writer):
        # It neither offers TLS nor asks for a login.
        await reader.read(8)
        writer.write(b"N")
        writer.close()

    async with listening(answer) as port:
        given = service(f"127.0.0.1:{port}/tcp", name="postgresql", method="probed")
        login = Credential(engine="postgresql", username="u", password="s3cret")
        here = Scope.parse(["127.0.0.1"])
        await collect(Assignment(here, max_rate=500, credentials=(login,), discoveries=(given,)), emit)
        assert f"port {port} failed" in emit.data("service", f"127.0.0.1:{port}/tcp")["reason"]
