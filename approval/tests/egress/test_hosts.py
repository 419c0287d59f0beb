"""The administrator's list: what may be written there, and which URL names which entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approval_api.egress.hosts import HostList, NotAllowedError, Place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://hooks.example.com/a", "https://hooks.example.com"),
        ("https://Hooks.Example.com:443/a?b#c", "https://hooks.example.com"),
        ("https://hooks.example.com:8443", "https://hooks.example.com:8443"),
        ("http://192.0.2.1/", "http://192.0.2.1"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
    ],
)
def test_a_url_names_one_place(url, place):
    assert str(Place.of(url)) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:5432/",
        "//hooks.example.com/",
        "https://",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:x/",
        "https://hooks.example.com./",
        "https://hooks example.com/",
        "https://hooks.example.com/\r\nX: y",
        "https://hooks.example.com/\x00",
        "https://bücher.example/",
        "https://①②⑦.⓪.⓪.①/",
        # Notations of 127.0.0.1 and ::1 that some resolvers understand.
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://127.00.0.1/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::ffff:7f00:1%25lo]/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://[2001:DB8:0:0:0:0:0:1]/",
        "https://" + "a" * 64 + ".example/",
        "https://hooks.example.com/" + "a" * 2000,
    ],
)
def test_refuses_what_is_not_plainly_a_place(url):
    with pytest.raises(NotAllowedError):
        Place.of(url)


@given(st.text(max_size=60))
def test_any_text_is_a_place_or_refused(text):
    try:
        place = Place.of(f"https://{text}")
    except NotAllowedError:
        return
    assert Place.of(f"{place}/") == place


def test_a_host_is_listed_with_its_port_and_its_scheme():
    hosts = HostList.parse(
        "hooks.example.com, netbox.lan:8443=10.1.2.0/24+fd00:1::/64, http://r.lan=10.1.2.3"
    )
    assert hosts.networks_of(Place.of("https://hooks.example.com/x")) == ()
    assert list(map(str, hosts.networks_of(Place.of("https://netbox.lan:8443/api/")))) == [
        "10.1.2.0/24",
        "fd00:1::/64",
    ]
    for url in (
        "https://hooks.example.com:8443/",
        "http://hooks.example.com/",
        "https://netbox.lan/",
        "https://r.lan/",
        "https://sub.hooks.example.com/",
        "https://example.com/",
    ):
        with pytest.raises(NotAllowedError, match="not among the hosts"):
            hosts.networks_of(Place.of(url))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://hooks.example.com", "plain HTTP"),
        ("hooks.example.com=10.0.0.1/8", "host bits"),
        ("hooks.example.com=", "''"),
        ("hooks.example.com=lan", "lan"),
        ("*.example.com", "neither a name"),
        ("hooks.example.com,https://hooks.example.com:443", "twice"),
        ("hooks.example.com/team-a", "leave out"),
        ("https://hooks.example.com/team-a/", "leave out"),
        ("hooks.example.com?a", "leave out"),
        ("http://hooks.example.com/team-a=10.1.2.3", "leave out"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused_by_name(text, reason):
    with pytest.raises(ValueError, match=r"example\.com") as refused:
        HostList.parse(text)
    assert reason in str(refused.value)


def test_every_entry_that_is_wrong_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'a b': .*; 'http://b.lan': .*; 'c.lan': .*twice"):
        HostList.parse("a b, http://b.lan, c.lan, d.lan, c.lan")
