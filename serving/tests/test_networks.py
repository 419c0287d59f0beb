from dryrun_serving.networks import Proxies, network_of


def test_a_subscribers_network_counts_once():
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8:0:2::1")
    assert {network_of(odd) for odd in ("", "x" * 100_000, "a:b:c", "1.2.3")} == {"unknown"}


def test_a_list_of_proxies_that_names_nobody_trusts_nobody():
    assert not Proxies("").has("127.0.0.1")
    assert not Proxies("proxy.example").has("proxy.example")
    assert Proxies("*").has("192.0.2.1")
