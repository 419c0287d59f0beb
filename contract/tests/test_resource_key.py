import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.resource_key import ResourceKey

names = st.lists(st.text(min_size=1, max_size=20), max_size=4).map(tuple)


@given(port=st.integers(1, 65535), transport=st.sampled_from(["tcp", "udp"]), path=names)
def test_a_key_reads_back_as_it_was_written(port, transport, path):
    key = ResourceKey("10.0.0.3", port, transport, path)
    assert ResourceKey.parse(str(key)) == key


def test_an_ipv6_address_stands_in_brackets():
    key = ResourceKey("fe80::1", 80, "tcp")
    assert str(key) == "[fe80::1]:80/tcp"
    assert ResourceKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "text", ["", "10.0.0.3:80", "10.0.0.3:0/tcp", "10.0.0.3:80/icmp", "a b", "h:80/tcp//x"]
)
def test_another_shape_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match=r"resource key|ports are"):
        ResourceKey.parse(text)


def test_a_key_moves_to_its_services_name():
    key = ResourceKey.parse("10.0.0.3:5432/tcp/shop/public/orders")
    assert str(key.on("db")) == "db:5432/tcp/shop/public/orders"


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (":389/tcp/dc=corp,dc=example", ("dc=corp,dc=example",)),
        (":80/tcp/admin/login", ("admin", "login")),
        (":445/tcp/Offer letters 2026", ("Offer letters 2026",)),
        (":53/tcp/0%2f25.2.0.192.in-addr.arpa", ("0/25.2.0.192.in-addr.arpa",)),
        (":161/udp", ()),
    ],
)
def test_everything_inside_a_service_has_a_key(place, path):
    assert ResourceKey.parse(f"10.0.0.3{place}").path == path


def test_names_inside_a_service_have_a_ceiling():
    assert len(ResourceKey.parse("10.0.0.3:80/tcp" + "/a" * 16).path) == 16
    with pytest.raises(ValueError, match="17 names inside its service; 16 are the most"):
        ResourceKey.parse("10.0.0.3:80/tcp" + "/a" * 17)
