import re

import pytest

from dryrun_serving.networks import Proxies, network_of


def test_a_subscribers_network_counts_once():
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8:0:2::1")
    assert {network_of(odd) for odd in ("", "x" * 100_000, "a:b:c", "1.2.3")} == {"unknown"}


def test_a_list_of_proxies_that_names_nobody_trusts_nobody():
    assert not Proxies("").has("127.0.0.1")
    assert not Proxies(" , ").has("")
    assert Proxies("*").has("192.0.2.1")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("10.0.0.5/24", "write 10.0.0.0/24 for the network or 10.0.0.5 for the one address"),
        ("fd00::5/64", "write fd00::/64 for the network"),
        ("10.0.0.l", "does not appear to be an IPv4 or IPv6 network"),
        ("proxy.example", "does not appear to be"),
    ],
)
def test_a_proxy_that_is_not_one_address_or_network_is_refused_by_name(entry, why):
    with pytest.raises(ValueError, match=f"{re.escape(entry)}.*{re.escape(why)}"):
        Proxies(f"127.0.0.1, {entry}")


def test_every_proxy_that_is_wrong_is_named():
    with pytest.raises(ValueError, match=r"10\.0\.0\.5/24 .*; 'proxy\.example' "):
        Proxies("10.0.0.5/24, 127.0.0.1, proxy.example")
