from pathlib import Path

import pytest

from dryrun_replica.inventory.model import Host, Service, TlsFacts, Transport
from dryrun_replica.levels import Level
from dryrun_replica.recipes.loading import RecipeBook, load_recipes
from dryrun_replica.recipes.matching import Matcher

BOOK = load_recipes(Path(__file__).parents[3] / "images" / "recipes")
VERSIONS = {"nginx": "1.26.3", "openssh": "10.0p2", "vsftpd": "3.0.5"}
TRANSPORTS: tuple[Transport, ...] = ("tcp", "udp")


class OnlyJetDirect:
    def has(self, service: Service) -> bool:
        return service.product == "HP JetDirect Generic Scan Gateway"


MATCHER = Matcher(BOOK, VERSIONS, OnlyJetDirect())


@pytest.mark.parametrize(
    ("service", "level", "recipe"),
    [
        (Service(port=80, name="http", product="nginx", version="1.26.3"), Level.SAME_VERSION, "nginx"),
        (Service(port=80, name="http", product="nginx", version="1.26"), Level.SAME_VERSION, "nginx"),
        (Service(port=80, name="http", product="nginx", version="1.18.0"), Level.SAME_PRODUCT, "nginx"),
        (Service(port=80, name="http", product="nginx"), Level.SAME_PRODUCT, "nginx"),
        (
            Service(port=22, name="ssh", product="OpenSSH", version="10.0p2 Debian 7"),
            Level.SAME_VERSION,
            "openssh",
        ),
        (Service(port=22, name="ssh", product="Cisco SSH"), Level.RELATIVE, "openssh"),
        (Service(port=3306, name="mysql", product="MySQL", version="8.4.3"), Level.RELATIVE, "mariadb"),
        (Service(port=3306, name="mysql", product="MariaDB"), Level.SAME_PRODUCT, "mariadb"),
        (Service(port=80, name="http", product="Microsoft IIS httpd"), Level.RELATIVE, "nginx"),
        (Service(port=80, name="http"), Level.RELATIVE, "nginx"),
        (Service(port=23, name="telnet"), Level.RELATIVE, "telnetd"),
        (Service(port=23, name="telnet", product="Cisco router telnetd"), Level.RELATIVE, "telnetd"),
        (Service(port=9290, name="hp-gsg", product="HP JetDirect Generic Scan Gateway"), Level.BANNER, None),
        (Service(port=9, name="hp-gsg", product="Unknown gateway"), Level.NOTHING, None),
        # Many products are built on it: which one it is, and so what discovery will call it, is not known.
        (Service(port=80, name="http", product="Golang net/http server"), Level.RELATIVE, "alertmanager"),
        (Service(port=6379, name="redis", product="Redis key-value store"), Level.SAME_PRODUCT, "redis"),
        (
            Service(port=80, name="http", product="Golang net/http server", title="Node Exporter"),
            Level.SAME_PRODUCT,
            "node-exporter",
        ),
        (
            Service(port=80, name="http", product="Golang net/http server", title="A shop"),
            Level.RELATIVE,
            "nginx",
        ),
        (
            Service(port=80, name="http", product="Prometheus exporter Node Exporter", version="1.9.0"),
            Level.SAME_PRODUCT,
            "node-exporter",
        ),
        (Service(port=9), Level.BANNER, None),
        (Service(port=9, name="tcpwrapped"), Level.BANNER, None),
        (Service(port=9, name="socks5"), Level.BANNER, None),
        (Service(port=9, transport="udp"), Level.NOTHING, None),
        (Service(port=53, transport="udp", name="domain", product="ISC BIND"), Level.SAME_PRODUCT, "bind9"),
        (Service(port=80, transport="udp", name="http", product="nginx"), Level.NOTHING, None),
    ],
)
def test_the_nearest_stand_in_is_chosen(service: Service, level: Level, recipe: str | None) -> None:
    match = MATCHER.match(service)
    assert (match.level, match.recipe) == (level, recipe)
    assert match.why or level is Level.SAME_VERSION


def test_an_open_port_is_called_one_and_never_a_banner() -> None:
    for service in (Service(port=9), Service(port=9, is_mute=True), Service(port=9, name="tcpwrapped")):
        assert MATCHER.match(service).why == "an open port, no banner: nothing names it"
    unspoken = MATCHER.match(Service(port=9, name="socks5"))
    assert unspoken.why == "an open port, no banner: no recipe speaks socks5"


def test_a_product_with_a_recipe_over_tcp_only_lacks_one_over_udp() -> None:
    # HTTP/3, as an inventory lists it beside TCP: elsewhere in the same plan the product has a stand-in.
    http3 = Service(port=443, transport="udp", name="http", product="nginx", version="1.26.3")
    assert MATCHER.match(http3).why == "no recipe for nginx over UDP"
    names = Service(port=53, transport="udp", name="domain", product="nginx")
    assert MATCHER.match(names).why == "no recipe for nginx over UDP; the same protocol"
    unknown = Service(port=443, transport="udp", name="http", product="Acme")
    assert MATCHER.match(unknown).why == "no recipe, relative or banner for Acme"


def test_a_cpe_names_a_product_whatever_people_call_it() -> None:
    service = Service(port=1, product="The web thing", cpe=("cpe:/a:igor_sysoev:nginx:1.18.0",))
    assert MATCHER.match(service).recipe == "nginx"


def test_the_cpe_of_a_runtime_is_none_of_a_product_that_runs_on_it() -> None:
    # As nmap writes it: aiohttp has no name of its own in CPE.
    service = Service(port=1, name="http", product="aiohttp", cpe=("cpe:/a:python:python:3.13",))
    assert (MATCHER.match(service).level, MATCHER.match(service).recipe) == (Level.RELATIVE, "nginx")


def test_a_title_distinguishes_products_of_one_name() -> None:
    product = "Golang net/http server"
    prometheus = "Prometheus Time Series Collection and Processing Server"
    assert (
        MATCHER.match(Service(port=1, name="http", product=product, title=prometheus)).recipe == "prometheus"
    )
    assert MATCHER.match(Service(port=1, name="http", product=product, title="Mine")).level is Level.RELATIVE


def test_every_recipe_is_found_by_the_name_that_its_ground_truth_has() -> None:
    for recipe in BOOK:
        title = recipe.names.titles[0] if recipe.names.titles else None
        service = Service(
            port=1,
            transport=recipe.transports[0],
            name=recipe.protocol,
            product=recipe.names.nmap[0].replace(";", ""),
            title=title,
        )
        assert MATCHER.match(service).recipe == recipe.name


def test_what_does_not_fit_into_a_container_is_left_out_and_the_plan_says_why() -> None:
    services = tuple(Service(port=port, name="mysql", product="MariaDB") for port in range(3306, 3312))
    matches = MATCHER.match_host(Host(name="db", role="database", services=services))
    levels = [match.level for match in matches]
    assert levels.count(Level.SAME_PRODUCT) in range(2, 5)
    assert set(levels) == {Level.SAME_PRODUCT, Level.NOTHING}
    left_out = next(match for match in matches if match.level is Level.NOTHING)
    assert "its host's services need" in left_out.why


def test_a_second_one_of_a_kind_that_can_be_there_once_is_left_out() -> None:
    services = tuple(Service(port=port, name="amqp", product="RabbitMQ") for port in (5672, 5673))
    once = {"rabbitmq": BOOK["rabbitmq"].model_copy(update={"only_once": True})}
    matcher = Matcher(RecipeBook({**BOOK.recipes, **once}))
    first, second = matcher.match_host(Host(name="queue", role="queue", services=services))
    assert first.recipe == "rabbitmq"
    assert (second.level, second.why) == (Level.NOTHING, "a second RabbitMQ cannot be on one host")


def test_what_a_database_is_filled_with_counts_for_the_size_of_its_image() -> None:
    database, web = Service(port=1, product="MariaDB"), Service(port=2, product="nginx")
    assert (MATCHER.match(database).size_mb, MATCHER.match(web).size_mb) == (80, 0)


def test_stunnel_counts_where_it_stands_before_a_service() -> None:
    plain = MATCHER.match(Service(port=1, name="ftp", product="ProFTPD"))
    with_tls = MATCHER.match(Service(port=1, name="ftp", product="ProFTPD", tls=TlsFacts()))
    assert with_tls.memory_mib > plain.memory_mib


def test_a_second_recipe_on_one_port_is_left_out() -> None:
    services = (
        Service(port=53, name="domain", product="dnsmasq"),
        Service(port=53, transport="udp", name="domain", product="ISC BIND"),
    )
    first, second = MATCHER.match_host(Host(name="dns", role="dns", services=services))
    assert first.recipe == "dnsmasq"
    assert (second.level, second.why) == (Level.NOTHING, "dnsmasq listens on 53/tcp of its host")


def test_one_recipe_serves_both_transports_of_a_port() -> None:
    services = tuple(
        Service(port=53, transport=transport, name="domain", product="dnsmasq")
        for transport in ("tcp", "udp")
    )
    matches = MATCHER.match_host(Host(name="dns", role="dns", services=services))
    assert [match.recipe for match in matches] == ["dnsmasq", "dnsmasq"]


@pytest.mark.parametrize(
    ("confidence", "why"),
    [
        (0.3, "a guess by the port's number; the same protocol"),
        (0.8, "the inventory names no product; the same protocol"),
    ],
)
def test_a_relative_of_a_guess_is_called_one(confidence: float, why: str):
    assert MATCHER.match(Service(port=22, name="ssh", confidence=confidence)).why == why
    named = Service(port=22, name="ssh", product="Cisco SSH", confidence=confidence)
    assert "guess" not in MATCHER.match(named).why
