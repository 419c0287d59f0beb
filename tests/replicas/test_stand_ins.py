"""Stand-ins as they run: recipes are true, untruths are found, a service that dies among others is named."""

import asyncio
import copy
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from itertools import batched
from typing import Any

import pytest
from made_networks import host, service
from made_stand_ins import BOOK, RECIPES, made
from target_container import docker, run_options
from todays_share import todays_share

from dryrun_local.machine.installation import Installation
from dryrun_replica.inventory.model import Host, TlsFacts
from dryrun_replica.recipes.model import Recipe
from dryrun_replica.verifying.container import VerificationError, running
from dryrun_replica.verifying.verification import Products, verify

# On the machine's own engine: an engine of one's own cannot fetch what the shared root may lack.
pytestmark = [pytest.mark.engine, pytest.mark.machine, pytest.mark.long, pytest.mark.timeout(1500)]
TOGETHER = 6
TWICE_TOGETHER = 2
"""With RabbitMQ and MariaDB, two of each are what a container's memory holds."""
EVERY = 8
"""A day takes one recipe in so many, `make nightly` each of them: together they take minutes."""


@pytest.fixture(scope="module")
def products() -> Products:
    return Products.read(RECIPES)


def _host_of(recipes: tuple[Recipe, ...], *, tls: bool) -> Host:
    return host(
        "web-1",
        *(
            service(
                20000 + list(BOOK).index(recipe),
                recipe.names.nmap[0].replace(";", ""),
                name=recipe.protocol,
                transport=recipe.transports[0],
                title=(recipe.names.titles or ("A page",))[0],
                tls=TlsFacts(subject="CN=web-1") if tls else None,
            )
            for recipe in recipes
        ),
    )


def faults_of(rows: Iterable[Mapping[str, Any]], products: Products) -> list[str]:
    async def verified() -> list[list[str]]:
        slots = asyncio.Semaphore(2)

        async def one(row: Mapping[str, Any]) -> list[str]:
            async with slots:
                try:
                    return await verify(row, products)
                except VerificationError as error:
                    return [str(error)]

        return await asyncio.gather(*map(one, rows))

    return [fault for faults in asyncio.run(verified()) for fault in faults]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_what_recipes_say_of_their_products_is_true(
    installation: Installation, products: Products, tls: bool
) -> None:
    able = [recipe for recipe in BOOK if not tls or recipe.tls in {"own", "front", "always"}]
    recipes = todays_share(able, EVERY)
    rows = made(installation, [_host_of(each, tls=tls) for each in batched(recipes, TOGETHER, strict=False)])
    assert faults_of(rows, products) == []


def test_a_second_one_of_a_product_works_beside_the_first(
    installation: Installation, products: Products
) -> None:
    recipes = todays_share([recipe for recipe in BOOK if not recipe.only_once], EVERY)
    hosts = []
    for few in batched(recipes, TWICE_TOGETHER, strict=False):
        once = _host_of(few, tls=False)
        again = (each.model_copy(update={"port": each.port + 1000}) for each in once.services)
        hosts.append(host("web-1", *once.services, *again))
    assert faults_of(made(installation, hosts), products) == []


@pytest.fixture(scope="module")
def mixed(installation: Installation) -> Mapping[str, Any]:
    """A host of three services and a banner."""
    (row,) = made(
        installation,
        [
            host(
                "web-1",
                service(8443, "nginx", name="https", title="Shop", tls=TlsFacts(subject="CN=shop")),
                service(6380, "Redis key-value store", name="redis"),
                service(9290, "HP JetDirect Generic Scan Gateway", name="hp-gsg"),
                service(2222, "OpenSSH", name="ssh"),
            )
        ],
    )
    return row


def changed(row: Mapping[str, Any], kind: str, key: str, **data: object) -> Mapping[str, Any]:
    other = copy.deepcopy(dict(row))
    facts = [fact for fact in other["ground_truth"] if (fact["kind"], fact["key"]) == (kind, key)]
    assert facts
    facts[0]["data"] |= data
    return other


def without(row: Mapping[str, Any], kind: str, key: str) -> Mapping[str, Any]:
    kept = [fact for fact in row["ground_truth"] if (fact["kind"], fact["key"]) != (kind, key)]
    return {**row, "ground_truth": kept}


def test_every_untruth_is_a_fault(mixed: Mapping[str, Any], products: Products) -> None:
    more = {
        **mixed,
        "ground_truth": [*mixed["ground_truth"], {"kind": "service", "key": ":99/tcp", "data": {}}],
    }
    untrue = {
        "version should be 0.1": changed(mixed, "service", ":6380/tcp", version="0.1"),
        "expected ['PostgreSQL']": changed(mixed, "service", ":6380/tcp", product=["PostgreSQL"]),
        "title should be 'Bank'": changed(mixed, "web_app", ":8443/tcp", title="Bank"),
        "subject should be 'CN=bank'": changed(mixed, "certificate", ":8443/tcp", subject="CN=bank"),
        "product should be 'Other gateway'": changed(mixed, "service", ":9290/tcp", product="Other gateway"),
        ":6380/tcp is open": without(mixed, "service", ":6380/tcp"),
        "a certificate is there but not expected": without(mixed, "certificate", ":8443/tcp"),
        ":99/tcp is in the ground truth and nobody listens there": more,
    }

    async def verified() -> dict[str, list[str]]:
        slots = asyncio.Semaphore(2)

        async def one(row: Mapping[str, Any]) -> list[str]:
            async with slots:
                return await verify(row, products)

        return dict(zip(untrue, await asyncio.gather(*map(one, untrue.values())), strict=True))

    found = asyncio.run(verified())
    assert asyncio.run(verify(mixed, products)) == []
    for what, faults in found.items():
        assert len(faults) == 1, (what, faults)
        assert what in faults[0]


@pytest.fixture
def started(mixed: Mapping[str, Any]) -> Iterator[str]:
    options = [*run_options(mixed), "--network=none"]
    container = docker("run", "--detach", *options, str(mixed["id"])).strip()
    try:
        for _ in range(600):
            if json.loads(docker("inspect", container))[0]["State"]["Health"]["Status"] == "healthy":
                break
            docker("exec", container, "sleep", "0.2")
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


KILL = (
    'for each in /proc/[0-9]*; do [ "$(cat $each/comm)" = redis-server ] && kill -SEGV ${each#/proc/}; done'
)


def test_a_service_that_dies_ends_its_host_and_is_named(started: str) -> None:
    docker("exec", started, "bash", "-c", KILL, check=False)
    assert docker("wait", started, seconds=60).strip() == "139"
    # What the orchestrator reads to report why a target died.
    # It reads both streams, and the engine does not keep the order between them: everything is on one.
    log = subprocess.run(["docker", "logs", "--tail=1", started], capture_output=True, text=True, check=True)
    assert (log.stdout, log.stderr) == ("stand-in: the service 02-redis-6380 ended with exit code 139\n", "")


def test_it_stops_within_a_second_or_two(started: str) -> None:
    docker("stop", "--time=5", started)
    state = json.loads(docker("inspect", started))[0]["State"]
    assert state["ExitCode"] == 143


def test_no_service_runs_as_root_and_nothing_can_be_written(mixed: Mapping[str, Any]) -> None:
    assert mixed["read_only"] is True
    assert mixed["capabilities"] == []

    async def users() -> str:
        async with running(mixed) as container:
            return await container.ask("bash", "-c", "cat /proc/[0-9]*/status | grep ^Uid")

    assert {line.split()[1] for line in asyncio.run(users()).splitlines() if line.startswith("Uid")} == {
        "990"
    }
