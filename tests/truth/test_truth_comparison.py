"""A ground truth that states too much, too little or a wrong value is noticed; a matching one passes."""

import pytest
from truth.facts import Facts, differences, key
from truth.sockets import listeners_of

THERE: Facts = {
    ("host", ""): {},
    ("service", ":5432/tcp"): {"product": "PostgreSQL", "version": "17.5"},
    ("table", ":5432/tcp/shop/public/orders"): {"columns": ["id", "total"]},
    ("certificate", ":443/tcp"): {"subject": "CN=a", "not_after": "2039-12-31T23:59:59Z"},
}


def test_a_matching_ground_truth_has_no_differences() -> None:
    stated: Facts = {identity: dict(data) for identity, data in THERE.items()}
    stated["service", ":5432/tcp"]["product"] = ["postgresql db", "postgresql"]
    stated["table", ":5432/tcp/shop/public/orders"]["columns"] = ["total", "id"]
    del stated["certificate", ":443/tcp"]["subject"]
    assert differences(stated, THERE) == []


@pytest.mark.parametrize(
    ("identity", "attribute", "value"),
    [
        (("service", ":5432/tcp"), "product", ["MariaDB", "MySQL"]),
        (("service", ":5432/tcp"), "version", "17.50"),
        (("table", ":5432/tcp/shop/public/orders"), "columns", ["id"]),
        (("table", ":5432/tcp/shop/public/orders"), "columns", ["id", "total", "note"]),
        (("table", ":5432/tcp/shop/public/orders"), "columns", ["id", "Total"]),
        (("certificate", ":443/tcp"), "subject", "CN=b"),
        (("certificate", ":443/tcp"), "issuer", "CN=nobody looked"),
    ],
)
def test_notices_a_wrong_value(identity: tuple[str, str], attribute: str, value: object) -> None:
    (wrong,) = differences(THERE | {identity: THERE[identity] | {attribute: value}}, THERE)
    assert f"{attribute} is stated" in wrong


def test_notices_what_is_stated_and_not_there() -> None:
    assert differences(THERE | {("service", ":22/tcp"): {}}, THERE) == [
        "service ':22/tcp' is stated and not there"
    ]


@pytest.mark.parametrize("identity", sorted(THERE))
def test_notices_what_is_there_and_not_stated(identity: tuple[str, str]) -> None:
    stated = {other: data for other, data in THERE.items() if other != identity}
    assert differences(stated, THERE) == [f"{identity[0]} {identity[1]!r} is there and not stated"]


def test_a_kind_without_a_collector_need_not_be_stated() -> None:
    stated = {identity: data for identity, data in THERE.items() if identity[0] != "certificate"}
    assert differences(stated, THERE, frozenset({"host", "service", "table"})) == []


def test_names_in_keys_are_escaped_as_the_documentation_says() -> None:
    assert key(":5432/tcp", "a/b", "50%", "\x1b[0m") == ":5432/tcp/a%2Fb/50%25/%1B[0m"


_BOUND = """ephemeral 32768	60999
socket tcp 0: 00000000:0C38 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 11 1
socket tcp 1: 00000000:C001 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12 1
socket udp 2: 00000000:C002 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 13 1
socket udp 3: 00000000:00A1 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 14 1
program 1 /usr/sbin/squid squid -N
holds 1 11
holds 1 12
holds 1 13
holds 1 14
"""
"""A proxy with two TCP ports, a client's UDP port (49154) and a UDP server on 161."""


def test_a_clients_udp_port_is_a_service_only_when_the_ground_truth_says_so() -> None:
    served = {":3128/tcp", ":49153/tcp", ":161/udp"}
    assert {each.key for each in listeners_of(_BOUND)} == served
    assert {each.key for each in listeners_of(_BOUND, {":49154/udp"})} == served | {":49154/udp"}
