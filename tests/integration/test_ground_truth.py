"""What templates call true is true: read from inside each container, in both directions, by its own code."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from target_container import REPOSITORY, TargetContainer, allowed, docker, internal_network, running, template

pytestmark = pytest.mark.engine

SMALL = template("small")
_DOCUMENTS = """
import json, pymongo
client = pymongo.MongoClient("127.0.0.1", 27017, serverSelectionTimeoutMS=5000)
found = {}
for database in client.list_database_names():
    for collection in client[database].list_collection_names():
        columns = sorted({field for document in client[database][collection].find() for field in document})
        found[f"{database}/{collection}"] = columns
print(json.dumps({"collections": found, "process": client.admin.command("serverStatus")["process"]}))
"""
_TABLES = """
SELECT json_object_agg(place, columns) FROM (
    SELECT n.nspname || '/' || c.relname AS place, json_agg(a.attname) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    GROUP BY 1) AS tables
"""


@pytest.fixture(scope="module")
def targets() -> Iterator[Mapping[str, TargetContainer]]:
    with ExitStack() as stack:
        network = stack.enter_context(internal_network())
        started = {
            name: stack.enter_context(running(service["image"], network))
            for name, service in SMALL["services"].items()
        }
        for target in started.values():
            target.wait_until_healthy()
        yield started


def truth(service: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return key → scored attributes, with the facts of the image in their places."""
    facts = allowed(SMALL["services"][service]["image"])["facts"]
    told = [item for item in SMALL["services"][service]["x-ground-truth"] if item["kind"] == kind]
    return {
        item["key"]: {
            name: facts[value["fact"]] if isinstance(value, dict) else value
            for name, value in item.get("data", {}).items()
        }
        for item in told
    }


def columns(service: str, prefix: str) -> dict[str, set[str]]:
    tables = truth(service, "table")
    return {
        key.removeprefix(prefix): set(data["columns"])
        for key, data in tables.items()
        if key.startswith(prefix)
    }


def listening(target: TargetContainer, protocol: str) -> set[str]:
    """Return keys of sockets that others can reach, as the kernel lists them."""
    state = "0A" if protocol == "tcp" else "07"
    ports = set()
    for line in target.execute("sh", "-c", f"cat /proc/net/{protocol} /proc/net/{protocol}6").splitlines():
        fields = line.split()
        if fields[0] == "sl" or fields[3] != state:
            continue
        address, port = fields[1].split(":")
        loopback = address.endswith("7F") if len(address) == 8 else address == "0" * 24 + "01000000"
        if not loopback:
            ports.add(f":{int(port, 16)}/{protocol}")
    return ports


def credential(engine: str) -> dict[str, str]:
    (found,) = [entry for entry in SMALL["x-dryrun"]["credentials"] if entry["engine"] == engine]
    return dict(found)


def query(db: TargetContainer, database: str, sql: str) -> str:
    return db.execute("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-", text=sql).strip()


def http_header(target: TargetContainer, port: int, header: str) -> str:
    request = (
        f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3"
    )
    answer = target.execute("bash", "-c", request).partition("\n\n")[0]
    found = re.search(rf"^{header}: *(.*?)\r?$", answer, re.MULTILINE | re.IGNORECASE)
    assert found is not None, answer
    return found[1]


def test_compose_accepts_the_template() -> None:
    docker("compose", "-f", str(REPOSITORY / "templates" / "small.yml"), "config", "--quiet")


def test_at_most_a_fifth_of_the_facts_is_hard() -> None:
    facts = [fact for service in SMALL["services"].values() for fact in service["x-ground-truth"]]
    assert 0 < sum("hard" in fact for fact in facts) <= len(facts) / 5


@pytest.mark.parametrize("service", SMALL["services"])
def test_every_machine_is_a_host(service: str) -> None:
    assert truth(service, "host") == {"": {}}


@pytest.mark.parametrize("service", SMALL["services"])
def test_the_services_are_the_sockets_that_listen(
    targets: Mapping[str, TargetContainer], service: str
) -> None:
    assert listening(targets[service], "tcp") == set(truth(service, "service"))
    assert listening(targets[service], "udp") == set()


def test_the_web_servers_are_what_their_header_says(targets: Mapping[str, TargetContainer]) -> None:
    services = truth("web", "service")
    for port in (80, 18734):
        told = services[f":{port}/tcp"]
        assert http_header(targets["web"], port, "Server") == f"{told['product']}/{told['version']}"
    assert services[":443/tcp"] == services[":80/tcp"]
    assert http_header(targets["app"], 8000, "Server") in truth("app", "service")[":8000/tcp"]["product"]


def test_the_unusual_port_is_not_among_the_common_ones() -> None:
    (hard,) = [fact["key"] for fact in SMALL["services"]["web"]["x-ground-truth"] if "hard" in fact]
    scanner = allowed("discovery/test-collector-network:1.0")["id"]
    services = docker(
        "run", "--rm", "--network=none", "--entrypoint=cat", scanner, "/usr/share/nmap/nmap-services"
    )
    lines = [line.split() for line in services.splitlines() if not line.startswith("#")]
    by_frequency = sorted(
        ((float(line[2]), line[1]) for line in lines if line[1].endswith("/tcp")), reverse=True
    )
    common = {port for _, port in by_frequency[:1000]}
    assert len(common) == 1000
    assert "80/tcp" in common
    assert hard.removeprefix(":") not in common


def test_the_certificate_is_the_one_that_is_shown(targets: Mapping[str, TargetContainer]) -> None:
    shown = {}
    for key in listening(targets["web"], "tcp"):
        port = key.strip(":").removesuffix("/tcp")
        script = (
            f"openssl s_client -connect 127.0.0.1:{port} < /dev/null 2> /dev/null | openssl x509 "
            "-noout -subject -issuer -enddate -nameopt RFC2253 -dateopt iso_8601 2> /dev/null; true"
        )
        lines = targets["web"].execute("bash", "-c", script).splitlines()
        if lines:
            values = dict(line.split("=", 1) for line in lines)
            shown[key] = {
                "subject": values["subject"],
                "issuer": values["issuer"],
                "not_after": values["notAfter"].replace(" ", "T"),
            }
    assert shown == truth("web", "certificate")


def test_postgresql_holds_these_databases_and_tables(targets: Mapping[str, TargetContainer]) -> None:
    db = targets["db"]
    names = query(
        db, "shop", "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
    ).split()
    assert {f":5432/tcp/{name}" for name in names} == set(truth("db", "database"))
    for name in names:
        found = json.loads(query(db, name, _TABLES) or "{}")
        assert {place: set(names) for place, names in found.items()} == columns("db", f":5432/tcp/{name}/")


def test_postgresql_has_this_version_and_no_tls(targets: Mapping[str, TargetContainer]) -> None:
    version = query(targets["db"], "shop", "SHOW server_version").split()[0]
    assert truth("db", "service")[":5432/tcp"]["version"] == version
    assert query(targets["db"], "shop", "SHOW ssl") == "off"


def test_the_postgresql_credential_opens_every_database_and_no_row_of_hr(
    targets: Mapping[str, TargetContainer],
) -> None:
    login = credential("postgresql")

    def ask(database: str, sql: str) -> str:
        command = ["psql", "-XAtq", "-h", "127.0.0.1", "-U", login["username"], "-d", database, "-c", sql]
        return targets["db"].execute(*command, env={"PGPASSWORD": login["password"]})

    assert int(ask("shop", "SELECT count(*) FROM orders")) == 2000
    for key in truth("db", "database"):
        assert ask(key.rsplit("/", 1)[1], "SELECT 1").strip() == "1"
    for database, table in (("hr", "salaries"), ("shop", "payment_cards")):
        with pytest.raises(AssertionError, match=f"permission denied for table {table}"):
            ask(database, f"SELECT * FROM {table}")


def test_the_document_store_holds_these_collections(targets: Mapping[str, TargetContainer]) -> None:
    found = json.loads(targets["docs"].execute("python3", "-", text=_DOCUMENTS))
    assert {place: set(names) for place, names in found["collections"].items()} == columns(
        "docs", ":27017/tcp/"
    )
    databases = {place.split("/")[0] for place in found["collections"]}
    assert {f":27017/tcp/{name}" for name in databases} == set(truth("docs", "database"))
    assert found["process"] in truth("docs", "service")[":27017/tcp"]["product"]


def test_the_cache_holds_these_databases_behind_another_password(
    targets: Mapping[str, TargetContainer],
) -> None:
    cache = targets["cache"]
    configuration = cache.execute("cat", "/srv/redis/redis.conf")
    found = re.search(r"^requirepass (\S+)", configuration, re.MULTILINE)
    assert found is not None
    keyspace = cache.execute("redis-cli", "INFO", "keyspace", env={"REDISCLI_AUTH": found[1]})
    numbers = re.findall(r"^db(\d+):keys=\d+", keyspace, re.MULTILINE)
    assert {f":6379/tcp/{number}" for number in numbers} == set(truth("cache", "database"))
    refused = cache.execute("redis-cli", "AUTH", credential("redis")["password"], check=False)
    assert "WRONGPASS" in refused
    assert "NOAUTH" in cache.execute("redis-cli", "INFO", "server")


@pytest.mark.parametrize("service", SMALL["services"])
def test_a_database_is_of_the_engine_that_serves_it(service: str) -> None:
    engine = {"db": "postgresql", "docs": "mongodb", "cache": "redis"}.get(service)
    assert {data["engine"] for data in truth(service, "database").values()} == ({engine} if engine else set())
