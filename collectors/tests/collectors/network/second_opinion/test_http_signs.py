"""Pages of programs that Debian packages, as they were served, and pages that only resemble them."""

import pytest
from asking import ask, speaking
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port

OK = b"HTTP/1.1 200 OK\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\n\r\n"
UNAVAILABLE = b"HTTP/1.0 503 Service Unavailable\r\nExpires: now\r\n\r\n"
POUND = (
    b'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN"><html><head><title>503 Service Unavailable</title>'
    b"</head><body><h1>Service Unavailable</h1><p>The server is temporarily unable to service your request "
    b"due to maintenance downtime or capacity problems. Please try again later.</p></body></html>"
)
BUSYBOX = (
    b"<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n<BODY><H1>404 Not Found</H1>\n"
    b"The requested URL was not found\n</BODY></HTML>\n"
)
LIGHTTPD = (
    b'<!DOCTYPE html>\n<html lang="en">\n <head>\n  <meta charset="UTF-8" />\n'
    b"  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n </body>\n</html>\n"
)
VARNISH = (
    b"<title>503 Backend fetch failed</title>\n<h3>Guru Meditation:</h3>\n    <p>XID: 3</p>\n    <hr>\n"
    b"    <p>Varnish cache server</p>\n  </body>\n</html>\n"
)
KLAUS = b'<footer>\n  powered by <a href="https://github.com/jonashaag/klaus">klaus</a> 2.0.3,\n'
AGENT = b"Server: libwww-perl-daemon/6.16\r\n\r\n<br />\nThis is FusionInventory Agent 2.6-4<br />\n"
UNAUTHORIZED = b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="VLC stream"\r\n\r\n'
TOMCAT = b"<title>HTTP Status 404 \xe2\x80\x93 Not Found</title><hr><h3>Apache Tomcat/11.0.22 (Debian)</h3>"
HUGO = b'<script src="/livereload.js?mindelay=10&amp;v=2&amp;port=1414&amp;path=livereload" defer>'
GO_REFUSES = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"400 Bad Request"
)
PUMA = b"HTTP/1.0 400 Bad Request\r\n\r\nPuma caught this error: Invalid HTTP format, parsing fails."

NO_LOGIN = b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWww-Authenticate: "
TOMCAT_ERROR = (
    b'<!doctype html><html lang="en"><head><title>HTTP Status 404 \xe2\x80\x93 Not Found</title>'
    b'<style type="text/css">body {font-family:Tahoma,Arial,sans-serif;} h1, h2, h3, b '
    b"{color:white;background-color:#525D76;} h1 {font-size:22px;}</style></head>"
)
PATRONI = b'{"state": "running", "role": "primary", "patroni": {"version": "4.0.7", "scope": "demo"}}'
ETCD = (
    b'# TYPE etcd_cluster_version gauge\netcd_cluster_version{cluster_version="3.5"} 1\n'
    b'# TYPE etcd_server_version gauge\netcd_server_version{server_version="3.5.16"} 1\n'
)
KEYSTONE = (
    b'{"versions": {"values": [{"id": "v3.14", "status": "stable", "media-types": '
    b'[{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]}]}}'
)
CFSSL = (
    b'<head>\n<title>CFSSL</title>\n<link href="https://cdnjs.example/bootstrap.min.css">\n'
    b'<script src="/assets/cfssl.js" async></script>\n</head>'
)
MDBOOK = (
    b"<!-- Livereload script (if served using the cli tool) -->\n        <script>\n"
    b"            const wsProtocol = location.protocol === 'https:' ? 'wss:' : 'ws:';"
)
HOOGLE = (
    b'<title>Hoogle</title><div id="footer">&copy; <a href="http://ndmitchell.com">Neil Mitchell</a> '
    b"2004-2024, version 5.0.18.4 2026-12-01 19:45</div>"
)
POWERDNS = b'<title>PowerDNS Authoritative Server Monitor</title><a href="/" id="appname">PowerDNS 4.9.18</a>'
CIVETWEB = (
    b"<!DOCTYPE html><html><head><title>Index of /</title><style>th {text-align: left;}</style></head>"
    b"<body><h1>Index of /</h1><pre><table>"
)
SWIFT = b"txf0652d4eec1243c2a8763-006b0e7312"
RABBITMQ = b"# TYPE erlang_mnesia_held_locks gauge\n# TYPE rabbitmq_erlang_processes_used gauge\n"


async def named(answer: bytes) -> tuple[str, str]:
    async with listening(speaking(b"GET /", answer)) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=3)
    return found.product, found.version


@pytest.mark.parametrize(
    ("answer", "product", "version"),
    [
        (UNAVAILABLE + POUND, "Pound http proxy", ""),
        (NOT_FOUND + BUSYBOX, "BusyBox httpd", ""),
        (NOT_FOUND + LIGHTTPD, "lighttpd", ""),
        (b"HTTP/1.1 404 Not Found\r\nServer: web\r\n\r\n" + LIGHTTPD, "lighttpd", ""),
        (b"HTTP/1.1 503 Backend fetch failed\r\n\r\n" + VARNISH, "Varnish http accelerator", ""),
        (OK + b"<title>kresd @ ns1</title>", "Knot Resolver", ""),
        (OK + KLAUS, "klaus", "2.0.3"),
        (OK + b"<meta name='generator' content='cgit v1.2.3'/>", "cgit", "1.2.3"),
        (
            OK + b'<meta name="generator" content="gitweb/2.47.3 git/2.47.3"/>',
            "gitweb",
            "2.47.3",
        ),
        (b"HTTP/1.1 200 OK\r\n" + AGENT, "FusionInventory Agent", "2.6-4"),
        (OK + b"<br />\nThis is GLPI Agent 1.14<br />\n", "GLPI Agent", "1.14"),
        (NOT_FOUND + b"<title>Liquidsoap source harbor</title>", "Liquidsoap", ""),
        (UNAUTHORIZED, "VLC media player http interface", ""),
        (OK + b'<HTML><BODY BGCOLOR="#ffffff">\n<pre>\n\ns_server -accept 443 -www', "OpenSSL s_server", ""),
        (OK + HUGO, "Hugo", ""),
        (NOT_FOUND + TOMCAT, "Apache Tomcat", "11.0.22"),
        (NOT_FOUND + TOMCAT_ERROR, "Apache Tomcat", ""),
        (NO_LOGIN + b'basic realm="PowerDNS"\r\n\r\n<h1>Unauthorized</h1>', "dnsdist", ""),
        (NO_LOGIN + b'Basic realm="PowerDNS"\r\n\r\nUnauthorized', "PowerDNS", ""),
        (OK + POWERDNS, "PowerDNS Authoritative Server", "4.9.18"),
        (b"HTTP/1.0 503 Service Unavailable\r\nServer: BaseHTTP/0.6\r\n\r\n" + PATRONI, "Patroni", "4.0.7"),
        (OK + ETCD, "etcd", "3.5.16"),
        (OK + RABBITMQ, "RabbitMQ", ""),
        (
            OK + b"<html><body> ntfy web root: no web app is running in the debian version </body></html>\n",
            "ntfy",
            "",
        ),
        (OK + b"# TYPE go_threads gauge\ngo_threads 9\n# TYPE ntfy_topics_total gauge\n", "ntfy", ""),
        (OK + b"# TYPE rtpengine_sessions gauge\n", "Sipwise rtpengine", ""),
        (OK + CFSSL, "CFSSL", ""),
        (OK + b"<title>dnss @ns1</title>", "dnss", ""),
        (NOT_FOUND + b'{"error":"404 - Resource Not Found"}', "R plumber", ""),
        (OK + b"# TYPE go_threads gauge\n# TYPE rpki_vrps gauge\n", "StayRTR", ""),
        (b"HTTP/1.0 200 OK\r\nopenstack-api-version: placement 1.0\r\n\r\n{}", "OpenStack Placement", ""),
        (b"HTTP/1.0 200 OK\r\nOpenStack-API-Version: compute 2.1\r\n\r\n{}", "OpenStack Nova", ""),
        (b"HTTP/1.0 200 OK\r\nOpenStack-API-Version: metering 2.1\r\n\r\n{}", "", ""),
        (b"HTTP/1.1 404 Not found\r\nServer: Epee-based\r\n\r\n", "Monero", ""),
        (b"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: 5.2.1\r\n\r\n", "JupyterHub", "5.2.1"),
        (b"HTTP/1.1 200 OK\r\nServer: Werkzeug/3.1\r\nX-Frob-Version: 5.2\r\n\r\nhello", "Frob", "5.2"),
        (OK + b"<title>uStreamer</title><h3>&micro;Streamer v5.4</h3>", "uStreamer", "5.4"),
        (OK + CIVETWEB, "CivetWeb", ""),
        (b"HTTP/1.0 400 Bad Request\r\n\r\nError 400: Bad Request\nBad request", "CivetWeb", ""),
        (b"HTTP/1.1 404 Not Found\r\nX-Trans-Id: " + SWIFT + b"\r\n\r\nNot found", "OpenStack Swift", ""),
        (
            b"HTTP/1.1 300 MULTIPLE CHOICES\r\nContent-Type: application/json\r\n\r\n" + KEYSTONE,
            "OpenStack Keystone",
            "",
        ),
        (OK + MDBOOK, "mdBook", ""),
        (b"HTTP/1.0 200 OK\r\nServer: Warp/3.3.31\r\n\r\n" + HOOGLE, "Hoogle", "5.0.18.4"),
        (
            b"HTTP/1.1 200 OK\r\nServer: Plack::Handler::Starlet\r\n\r\nhello",
            "Plack::Handler::Starlet",
            "",
        ),
    ],
)
async def test_a_page_names_what_serves_it(answer, product, version):
    assert await named(answer) == (product, version)


@pytest.mark.parametrize(
    "answer",
    [
        UNAVAILABLE + POUND.replace(b"><", b">\n<"),
        NOT_FOUND + BUSYBOX.replace(b"was not found\n", b"was not found on this server.\n"),
        NOT_FOUND + LIGHTTPD.replace(b"<h1>404", b"<h1>Error 404"),
        NOT_FOUND + LIGHTTPD.replace(b" </body>", b"  <p>Ask us.</p>\n </body>"),
        b"HTTP/1.1 503 Backend fetch failed\r\n\r\n" + VARNISH.replace(b"Varnish", b"Our"),
        OK + b"<title>Why kresd @ home is slow</title>",
        OK + b'<p>powered by <a href="https://example.org/klaus">klaus</a> 2.0.3</p>',
        OK + b'<meta name="generator" content="cgit v1.2.3 look-alike"/>',
        OK + b"<p>Hello, This is FusionInventory Agent 2.6 explained</p>",
        OK + b'<script src="/livereload.js?snipver=1"></script>',
        OK + b"<title>Why dnss @ home is slow</title>",
        NOT_FOUND + b'{"error":"404 - Resource Not Found: /"}',
        OK + b"WebSockets request was expected, but not by us\r\n",
        OK + b"<title>Our Liquidsoap source harbor</title>",
        OK + CIVETWEB.replace(b"left", b"right"),
        OK + b"X-Trans-Id: " + SWIFT,
        OK + b"<!-- Book generated using mdBook --><title>Handbook</title>",
        OK + b"<title>Hoogle, or how we find functions</title>",
        OK + b'<HTML><BODY BGCOLOR="#ffffff">\n<p>s_server -accept 443 -www',
    ],
)
async def test_a_page_that_resembles_it_does_not(answer):
    assert await named(answer) == ("", "")


@pytest.mark.parametrize(
    ("page", "product"), [(b"hi", "Puma httpd"), (b"\r\n<title>Order server</title>", "Order server")]
)
async def test_who_names_nothing_is_asked_what_is_no_request(page, product):
    received = []

    async def serve(reader, writer):
        said = await reader.read(4096)
        received.append(said)
        writer.write(OK + page if said.startswith(b"GET ") else PUMA)
        writer.close()

    async with listening(serve) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=3)
    assert (found.name, found.product) == ("http", product)
    assert received.count(b"GET\r\n\r\n") == (product == "Puma httpd")


@pytest.mark.parametrize(
    ("head", "refusal", "product"),
    [
        (
            b"Date: x\r\nConnection: close\r\n",
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            "Node.js",
        ),
        # Bun.
        (b"Date: x\r\n", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", ""),
        (b"Date: x\r\nConnection: close\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", "Unicorn"),
        # Tornado, where an application takes the header `Server` away.
        (b"Content-Type: x\r\nDate: x\r\nConnection: close\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", ""),
        (b"Date: x\r\nConnection: close\r\n", GO_REFUSES, "Golang net/http server"),
        (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", ""),
        (b"Date: x\r\n", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", ""),
    ],
)
async def test_a_library_is_known_by_how_it_refuses_what_is_no_request(head, refusal, product):
    async def serve(reader, writer):
        said = await reader.read(4096)
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\nhi" if said.startswith(b"GET ") else refusal)
        writer.close()

    async with listening(serve) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=3)
    assert (found.name, found.product) == ("http", product)
