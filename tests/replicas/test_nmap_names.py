"""nmap names each stand-in as its recipe says: what an inventory by nmap finds again is what was built."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import batched
from typing import Any
from xml.parsers import expat

import pytest
from made_networks import host, service
from made_stand_ins import BOOK, made
from todays_share import todays_share

from dryrun_local.machine.installation import Installation
from dryrun_replica.recipes.model import Recipe
from dryrun_replica.verifying.container import running

# On the machine's own engine: an engine of one's own cannot fetch what the shared root may lack.
pytestmark = [pytest.mark.engine, pytest.mark.machine, pytest.mark.long, pytest.mark.timeout(1500)]
TOGETHER = 4
EVERY = 8
"""A day takes one recipe in so many, `make nightly` each of them."""
NMAP = ("nmap", "-Pn", "-n", "-sV", "--host-timeout", "80s", "-oX", "-")


def named_by_nmap(output: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield port and attributes of each service of nmap's XML."""
    found: dict[int, dict[str, str]] = {}
    ports = [0]

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name == "port":
            ports.append(int(attributes["portid"]))
        elif name == "service":
            found[ports[-1]] = attributes

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.Parse(output.encode(), True)
    return iter(found.items())


async def named(row: Mapping[str, Any], port_of: Mapping[int, Recipe]) -> list[str]:
    """Return how nmap's words on a row's image differ from its ground truth and its recipes."""
    expected = {fact["key"]: fact["data"] for fact in row["ground_truth"] if fact["kind"] == "service"}
    faults: list[str] = []
    async with running(row) as container:
        for kind, scan in (("tcp", "-sT"), ("udp", "-sU")):
            ports = [str(port) for port, recipe in port_of.items() if recipe.transports[0] == kind]
            if ports:
                asked = (*NMAP, scan, "-p", ",".join(ports), "127.0.0.1")
                output = await container.ask(*asked, root=True)
                for port, seen in named_by_nmap(output):
                    faults += differences(port_of[port], expected[f":{port}/{kind}"], seen)
    return faults


def differences(recipe: Recipe, expected: Mapping[str, Any], seen: Mapping[str, str]) -> Iterator[str]:
    product, version = seen.get("product"), seen.get("version")
    if product is None:
        if not recipe.names.unnamed:
            yield f"{recipe.name}: nmap names no product, the service {seen.get('name')}"
        return
    if product in recipe.names.beneath:
        return
    if product.casefold() not in {each.casefold() for each in expected["product"]}:
        yield f"{recipe.name}: nmap says {product}, ground truth {expected['product']}"
    # A range of versions is none; any other is compared as it is.
    if version and not {"-", "or"} & {*version.split()} and version != expected.get("version", version):
        yield f"{recipe.name}: nmap says version {version}, ground truth {expected['version']}"


def test_nmap_names_products_as_recipes_do(installation: Installation) -> None:
    # Without TLS, behind which nmap knows less of some products.
    # What nmap cannot name may take longer than a host has, which then names nothing: these stay together.
    recipes = sorted(todays_share(list(BOOK), EVERY), key=lambda recipe: recipe.names.unnamed)
    groups = [
        {20000 + number: recipe for number, recipe in group}
        for group in batched(enumerate(recipes), TOGETHER, strict=False)
    ]
    hosts = [
        host(
            "web-1",
            *(
                service(
                    port,
                    recipe.names.nmap[0].replace(";", ""),
                    name=recipe.protocol,
                    transport=recipe.transports[0],
                    title=(recipe.names.titles or ("A page",))[0],
                )
                for port, recipe in group.items()
            ),
        )
        for group in groups
    ]
    rows = made(installation, hosts)

    async def all_named() -> list[list[str]]:
        slots = asyncio.Semaphore(2)

        async def one(row: Mapping[str, Any], group: Mapping[int, Recipe]) -> list[str]:
            async with slots:
                return await named(row, group)

        return await asyncio.gather(*map(one, rows, groups))

    assert [fault for faults in asyncio.run(all_named()) for fault in faults] == []
