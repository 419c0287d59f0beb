"""What products are called, and which names belong to libraries."""

import pytest

from discovery_collectors.collectors.network.second_opinion.products import is_library, read_server


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("nginx/1.26.3", ("nginx", "1.26.3")),
        ("Apache/2.4.68 (Debian)", ("Apache httpd", "2.4.68")),
        ("Microsoft-IIS/10.0", ("Microsoft IIS httpd", "10.0")),
        ("CherryPy/18.10.0", ("CherryPy httpd", "18.10.0")),
        ("TornadoServer/6.4.2", ("Tornado httpd", "6.4.2")),
        ("Python/3.13 aiohttp/3.11.16", ("aiohttp", "3.11.16")),
        ("Caddy", ("Caddy httpd", "")),
        ("Mojolicious (Perl)", ("Mojolicious httpd", "")),
        ("Linux/6.12, UPnP/1.0, Gerbera/2.5.0", ("Gerbera", "2.5.0")),
        (
            "Linux/6.18.44, UPnP/1.0, Portable SDK for UPnP devices/17.2.0",
            ("Portable SDK for UPnP", "17.2.0"),
        ),
        ("Unheard-Of/3.1 (x)", ("Unheard-Of", "3.1")),
        ("Server", ("", "")),
        ("Unknown/1.0", ("", "")),
        ("Python/3.13 web server", ("", "")),
        ("", ("", "")),
        ("\x1b[31m", ("", "")),
    ],
)
def test_a_servers_own_name_becomes_the_one_that_nmap_uses(header, expected):
    assert read_server(header) == expected


@pytest.mark.parametrize(
    "product",
    [
        "Golang net/http server",
        "Werkzeug httpd",
        "Node.js Express framework",
        "Jetty",
        "TwistedWeb httpd",
        "BaseHTTPServer",
        "SimpleHTTPServer",
        "Mojolicious httpd",
        "PasteWSGIServer",
        "Portable SDK for UPnP",
    ],
)
def test_a_library_is_not_the_last_word(product):
    assert is_library(product)


@pytest.mark.parametrize("product", ["nginx", "Apache httpd", "thttpd", "Gitea", "RocketMQ", "Hyperion"])
def test_a_product_is(product):
    assert not is_library(product)
