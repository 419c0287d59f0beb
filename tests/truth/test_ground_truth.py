"""Ground truth matches each target, read from inside it: every fact holds, and nothing is missing."""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from target_container import REPOSITORY, TargetContainer, allowed, docker, internal_network, running, template
from todays_share import todays_share
from truth.facts import Case, Facts, cases, differences
from truth.inspection import inspect

pytestmark = [pytest.mark.engine, pytest.mark.long(130)]

CASES = cases()
TEMPLATES = sorted(path.stem for path in (REPOSITORY / "templates").glob("*.yml"))
_AT_ONCE = 4
_PROXY = "discovery/test-haproxy:3.0"
_BEHIND = "discovery/test-nginx:1.26"
_DEFAULT_BACKENDS = {"BACKEND_A": "web-a:80", "BACKEND_B": "web-b:80"}


def backends() -> set[str]:
    """Return the names under which proxies look for the servers behind them."""
    proxies = [dict(case.environment) for case in CASES.values() if case.image == _PROXY]
    return {
        (environment | _DEFAULT_BACKENDS | environment)[name].split(":")[0]
        for environment in proxies
        for name in _DEFAULT_BACKENDS
    }


def inspected(case: Case, network: str) -> Facts:
    with running(case.image, network, environment=dict(case.environment)) as target:
        target.wait_until_healthy()
        return inspect(target, case.served, case.not_services)


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Facts]]]:
    """Each target that a test asks for is started and looked into once, some at a time."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = {call.params["where"] for call in calls if call is not None and "where" in call.params}
    with ExitStack() as stack:
        network = stack.enter_context(internal_network())
        behind = stack.enter_context(running(_BEHIND, network, aliases=sorted(backends())))
        behind.wait_until_healthy()
        pool = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        yield {
            where: pool.submit(inspected, case, network) for where, case in CASES.items() if where in wanted
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("where", todays_share(list(CASES), 2))
def test_ground_truth_states_what_is_there_and_nothing_else(
    found: Mapping[str, Future[Facts]], where: str
) -> None:
    case = CASES[where]
    wrong = differences(case.stated(), found[where].result(timeout=240), case.kinds)
    assert not wrong, "\n".join(wrong)


def test_every_target_states_its_ground_truth() -> None:
    targets = {image for image in _images() if image.startswith("discovery/test-")}
    stated = {case.image for case in CASES.values()}
    assert {image for image in targets if not image.startswith("discovery/test-collector-")} == stated


def _images() -> list[str]:
    manifests = (REPOSITORY / "images").glob("*/image.yml")
    return [line[7:] for path in manifests for line in path.read_text().splitlines() if line[:7] == "image: "]


@pytest.mark.parametrize("name", TEMPLATES)
def test_compose_accepts_the_template(name: str) -> None:
    docker("compose", "-f", str(REPOSITORY / "templates" / f"{name}.yml"), "config", "--quiet")


def test_an_unusual_port_is_not_among_the_common_ones() -> None:
    hard = {
        fact["key"].removeprefix(":")
        for case in CASES.values()
        for fact in case.truth
        if fact["kind"] == "service" and fact.get("hard", "").startswith("unusual port")
    }
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
    assert hard
    assert not hard & common


def credential(engine: str) -> dict[str, str]:
    (found,) = [entry for entry in template("small")["x-dryrun"]["credentials"] if entry["engine"] == engine]
    return dict(found)


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    with internal_network() as name:
        yield name


def ask(server: TargetContainer, database: str, sql: str) -> str:
    """Ask PostgreSQL over TCP with the login of the credential store."""
    login = credential("postgresql")
    command = ["psql", "-XAtq", "-h", "127.0.0.1", "-U", login["username"], "-d", database, "-c", sql]
    return server.execute(*command, env={"PGPASSWORD": login["password"]})


def test_the_postgresql_credential_opens_every_database_and_no_row_of_hr(network: str) -> None:
    with running("discovery/test-postgres:17", network) as server:
        server.wait_until_healthy()
        assert int(ask(server, "shop", "SELECT count(*) FROM orders")) == 2000
        for database in ("postgres", "shop", "hr"):
            assert ask(server, database, "SELECT 1").strip() == "1"
        for database, table in (("hr", "salaries"), ("shop", "payment_cards")):
            with pytest.raises(AssertionError, match=f"permission denied for table {table}"):
                ask(server, database, f"SELECT * FROM {table}")
        assert server.execute("psql", "-XAtqd", "shop", "-c", "SHOW ssl").strip() == "off"


def test_the_large_postgresql_closes_one_database_to_it_and_holds_a_table_of_100000_rows(
    network: str,
) -> None:
    with running("discovery/test-postgres-large:17", network) as server:
        server.wait_until_healthy()
        assert ask(server, "archive_2019", "SELECT 1").strip() == "1"
        with pytest.raises(AssertionError, match='permission denied for database "board"'):
            ask(server, "board", "SELECT 1")
        rows = server.execute("psql", "-XAtqd", "telemetry", "-c", "SELECT count(*) FROM events")
        assert int(rows) == 100_000


def test_the_closed_postgresql_refuses_it(network: str) -> None:
    with running("discovery/test-postgres-closed:17", network) as server:
        server.wait_until_healthy()
        with pytest.raises(AssertionError, match="password authentication failed"):
            ask(server, "ledger", "SELECT 1")


def test_the_cache_lies_behind_another_password(network: str) -> None:
    with running("discovery/test-redis:8.0", network) as cache:
        cache.wait_until_healthy()
        refused = cache.execute("redis-cli", "AUTH", credential("redis")["password"], check=False)
        assert "WRONGPASS" in refused
        assert "NOAUTH" in cache.execute("redis-cli", "INFO", "server")


def test_the_fragile_gateway_dies_of_a_version_probe_and_not_of_a_connection(network: str) -> None:
    with running("discovery/test-fragile:1.0", network) as gateway:
        gateway.wait_until_healthy()
        gateway.execute("bash", "-c", "exec 3<> /dev/tcp/127.0.0.1/20000")
        assert gateway.inspect()["State"]["Running"]
        probe = "exec 3<> /dev/tcp/127.0.0.1/20000; printf '\\r\\n\\r\\n' >&3; read -t 5 -u 3"
        gateway.execute_bytes("bash", "-c", probe)
        assert docker("wait", gateway.id, seconds=30).strip() == "134"


@pytest.mark.parametrize("claim", ["apache", "iis", "lighttpd", "nginx"])
def test_the_liar_claims_its_configured_product_and_its_error_page_gives_it_away(
    network: str, claim: str
) -> None:
    with running("discovery/test-liar:1.0", network, environment={"CLAIM": claim}) as gauge:
        gauge.wait_until_healthy()
        request = "exec 3<> /dev/tcp/127.0.0.1/80; printf 'PUT / HTTP/1.0\\r\\n\\r\\n' >&3; timeout 5 cat <&3"
        answer = gauge.execute_bytes("bash", "-c", request).decode()
        assert re.search(r"(?m)^Server: ([A-Za-z-]+)", answer)[1].casefold().endswith(claim)
        assert "Unsupported method ('PUT')" in answer
