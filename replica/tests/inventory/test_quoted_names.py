"""What targets say of themselves reaches inventories through scanners, and is nobody's to keep."""

import json

import pytest
from read_files import notes, read

from dryrun_replica.inventory.model import Service

OWN = "PineHub-Billing/4.1 (Pine Harbour Ltd)"


def scanned(service: str, script: str = "", *, keep_names: bool = False) -> Service:
    document = f"""<?xml version="1.0"?><nmaprun scanner="nmap"><host><status state="up"/>
        <address addr="10.0.0.1" addrtype="ipv4"/>
        <ports><port protocol="tcp" portid="80"><state state="open"/>
        <service method="probed" conf="10" {service}/>{script}</port></ports></host>
        <runstats><finished/></runstats></nmaprun>"""
    return read(document, keep_names=keep_names).hosts[0].services[0]


def titled(title: str) -> str | None:
    script = f'<script id="http-title"><elem key="title">{title}</elem></script>'
    return scanned('name="http"', script).title


def test_a_product_that_a_scanner_copied_from_a_header_is_numbered():
    assert scanned(f'name="http" product="{OWN}"').product == "Product-1"
    assert scanned('name="http" product="nginx"').product == "nginx"
    assert "PineHub" in str(scanned(f'name="http" product="{OWN}"', keep_names=True).product)


def test_a_name_of_a_service_that_no_table_has_is_left_out():
    assert scanned('name="pine-harbour-billing"').name is None
    assert scanned('name="http"').name == "http"


def test_a_product_of_a_discovery_is_believed_no_more():
    line = {"kind": "service", "key": "10.0.0.1:80/tcp", "data": {"product": OWN, "name": "pinehub"}}
    service = read(json.dumps([line])).hosts[0].services[0]
    assert (service.product, service.name) == ("Product-1", None)


@pytest.mark.parametrize(
    ("version", "kept"),
    [
        ("1.26 Pine Harbour Ltd, Berlin", "1.26"),
        ("1.26-PineHarbour", "1.26"),
        ("Pine Harbour", None),
        ("HP 0171 2345678", None),
        ("9.2p1 Debian 2+deb12u3", "9.2p1 Debian 2+deb12u3"),
        ("8.0.36-0ubuntu0.1", "8.0.36-0ubuntu0.1"),
        ("10.0.0.77", None),  # in the network of the host, 10.0.0.1
        ("1.26 10.0.0.77", None),
        ("v10.0.0.77", None),
        ("1.26p10.0.0.77", None),
        ("10.0.0.77.", None),
        ("1.10.0.0.77", None),
        ("10.2.0.4", None),  # nobody's address but a network's own
        ("172.16.4.9", None),
        ("v192.168.4.9", None),
        ("10-20-30-40", None),
        ("203.0.113.77", None),
        ("185.12.64.1", None),
        ("1.26-172.16.4.9", "1.26"),
        ("1.26-phl172.16.4.9", "1.26"),
        ("1.26_185.12.64.1", "1.26"),
        ("1.26p8.8.4.4", "1.26p"),
        ("1.0-12.34.56.78", "1.0"),
        ("11.2.0.4", "11.2"),  # Oracle's, or an address
        ("11.2.0.4.9", "11.2"),
        ("10.0.17763.1", "10.0.17763.1"),
        ("15.1.2507.6", "15.1.2507.6"),
        ("2.4.52-1ubuntu4.9", "2.4.52-1ubuntu4.9"),
        ("8.0.36-0ubuntu0.20.10.1", "8.0.36-0ubuntu0.20.10.1"),
    ],
)
def test_of_a_version_stays_what_names_nobody(version: str, kept: str | None):
    assert scanned(f'name="http" product="nginx" version="{version}"').version == kept
    assert scanned(f'name="http" product="nginx" version="{version}"', keep_names=True).version is not None


@pytest.mark.parametrize(("scan", "kept"), [(True, None), (False, "3.0.0")])
def test_of_a_range_of_versions_a_scan_keeps_nothing_and_a_table_its_beginning(scan: bool, kept: str | None):
    table = "host,port,product,version\nweb,80,nginx,3.0.0 - 3.0.5\n"
    heard = scanned('name="http" product="nginx" version="3.0.0 - 3.0.5"')
    assert (heard if scan else read(table).hosts[0].services[0]).version == kept


def test_the_plan_says_that_versions_were_cut():
    row = "host,port,product,version\nweb,80,nginx,1.26 Pine Harbour\n"
    assert notes(read(row))["versions cut at what could be a name"] == 1


@pytest.mark.parametrize(
    "title", ["HP 0171 2345678", "HP", "Welcome 20231131", "Login PH", "Server 203.0.113.77."]
)
def test_a_title_with_a_short_name_or_a_long_number_is_replaced(title: str):
    assert titled(title) == "Page-1"


def test_a_title_that_names_software_only_stays():
    assert titled("Welcome to nginx 1.26") == "Welcome to nginx 1.26"


def test_a_cpe_names_what_its_product_may_and_no_more():
    line = {"kind": "service", "key": "10.0.0.1:80/tcp"}
    cpe = ["cpe:/a:igor_sysoev:nginx:1.26-pineharbour"]
    public, own = (
        read(json.dumps([{**line, "data": {"product": product, "cpe": cpe}}])).hosts[0].services[0].cpe
        for product in ("nginx", OWN)
    )
    assert (public, own) == (("cpe:/a:igor_sysoev:nginx",), ())


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1.26-phl", "1.26"),
        ("1.26phl2", "1.26"),
        ("1.26_PH", "1.26"),
        ("1.26 203.0.113.77", "1.26"),
        ("1.26 203.0.113.77.", "1.26"),
        ("1.26 (203.0.113.77)", "1.26"),
        ("1.26 203.0.113.77:443", "1.26"),
        ("1.26 203.0.113.0/24", "1.26"),
        ("1.26 442079460123", "1.26"),
        ("10.0p2 Debian 7", "10.0p2 Debian 7"),
        ("9.6rc1", "9.6rc1"),
        ("8.0.36-0ubuntu0.22.04.1", "8.0.36-0ubuntu0.22.04.1"),
        ("2.4.62-1~deb12u2", "2.4.62-1~deb12u2"),
        ("1.0.2k-fips", "1.0.2k-fips"),
        ("5.7.44-log", "5.7.44-log"),
        ("1.26 build 20231130", "1.26 build 20231130"),
    ],
)
def test_letters_of_a_version_are_kept_only_where_everybody_writes_them(written, kept):
    inventory = read(f"host,ip,port,product,version\na,10.0.0.1,443,nginx,{written}\n")
    assert inventory.hosts[0].services[0].version == kept
    assert ("versions cut at what could be a name" in notes(inventory)) == (written != kept)
