"""What a web server is known by: its own pages, and no page that mentions a product."""

from itertools import pairwise

import pytest
from asking import ask, speaking
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion.findings import Finding


@pytest.mark.parametrize(
    "body",
    [
        b'<p>"couchdb":"Welcome" is what CouchDB says</p>',
        b'<p>{"tagline" : "You Know, for Search"} was Elasticsearch</p>',
        b"<p>missing authentication token for REST request?</p>",
        b'<p>{"kind":"Status","apiVersion":"v1"}',
        b'<pre># HELP x\nfoo_build_info{version="1.2"} 1\n</pre>',
        b"<p>Powered by Gitea? We moved away.</p>",
        b'<a href="/varz">varz</a> <b>Apt-Cacher NG Usage Information</b>',
        b"<p>Tor is not an HTTP Proxy, they said.</p>",
        b"<h2>How we use VictoriaMetrics</h2>",
        b"<title>Nexus Exporter GmbH</title>export goods",
        b"<title>Why we left Jira</title>",
        b"<title>How to install GitLab</title>",
        b"<title>mtail on http://blog.example:8080/ and why</title>",
    ],
)
async def test_a_page_that_mentions_a_product_is_not_it(body):
    async with listening(speaking(b"GET / ", b"HTTP/1.1 200 OK\r\n\r\n" + body)) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=3)
    assert (found.name, found.product, found.version) == ("http", "", "")


@pytest.mark.parametrize(
    ("content", "product", "version"),
    [
        (b'{"couchdb":"Welcome","version":"3.4.2"}', "CouchDB httpd", "3.4.2"),
        (b'# TYPE a gauge\nfoo_build_info{version="1.2"} 1\n', "foo", "1.2"),
        (
            b'<footer class="page-footer">\n<div>\n<a href="https://about.gitea.com">Powered by Gitea',
            "Gitea",
            "",
        ),
        (b"<title>System Dashboard - Jira</title>", "Jira", ""),
        (
            b'<td class="title" style="width:580px;">Apt-Cacher NG Usage Information</td>',
            "Apt-Cacher NG",
            "",
        ),
        (b"<h2>Single-node VictoriaMetrics</h2></br>", "VictoriaMetrics", ""),
        (
            b"<a href=/varz>General</a>\n<a href=/jsz>JetStream</a>\n<a href=/connz>Connections</a>",
            "NATS server",
            "",
        ),
        (
            (
                b'<?xml version="1.0" encoding="UTF-8"?>\n<config-auth client="vpn" type="auth-request">\n'
                b'<version who="sg">0.1(1)</version>\n<auth id="main">'
            ),
            "ocserv OpenConnect VPN server",
            "",
        ),
        (
            (
                b'<?xml version=\'1.0\'?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x">\n'
                b"<html xmlns='http://www.w3.org/1999/xhtml' xml:lang='en' lang='en'><head>"
                b"<meta http-equiv='Content-Type' content='text/html; charset=utf-8'/></head>"
            ),
            "ejabberd httpd",
            "",
        ),
        (b'<title>SNMP Exporter</title><a href="/metrics">', "Prometheus exporter SNMP Exporter", ""),
        (b'<title>Browsing /</title>\n<div id="loggerheadCont">\n<h1>', "Loggerhead", ""),
        (
            b'<body>\n  <a href="ola.html">Full Version</a>\n  <a href="mobile.html">Mobile Version</a>',
            "Open Lighting Architecture",
            "",
        ),
        (b"<title>mtail on [::]:13903</title>\n<p>Build: mtail version 3.0.9 git revision", "mtail", "3.0.9"),
    ],
)
async def test_a_page_of_the_products_own_is(content, product, version):
    async with listening(speaking(b"GET / ", b"HTTP/1.1 200 OK\r\n\r\n" + content)) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=3)
    assert (found.name, found.product, found.version) == ("http", product, version)


@pytest.mark.parametrize(
    ("answer", "product"),
    [
        (b"200 OK\r\n\r\n<!DOCTYPE html><title>Welcome to Kiwix Server</title>", "Kiwix"),
        (b'401 Unauthorized\r\nWWW-Authenticate: Basic realm="VictoriaMetrics"\r\n\r\n', "VictoriaMetrics"),
        (b'401 Unauthorized\r\nWWW-Authenticate: Basic realm="rclone"\r\n\r\nUnauthorized\n', "rclone"),
        (b'401 Unauthorized\r\nWWW-Authenticate: Basic realm="rclone files"\r\n\r\nUnauthorized\n', ""),
        (b"200 OK\r\n\r\n<!DOCTYPE html><title>Orthanc Explorer</title>", "Orthanc"),
        (b"200 OK\r\n\r\n<!DOCTYPE html><title>MFS Info (mfsmaster)</title>", "MooseFS"),
        (b"200 OK\r\n\r\n\n\t<h2>Exporters:</h2>\n\t\t<ul>\n", "Prometheus exporter exporter"),
        (
            b"404 Not Found\r\nAccess-Control-Request-Method: POST, OPTIONS, GET, HEAD\r\n\r\nNot Found\n",
            "rclone",
        ),
        (
            (
                b"301 Moved Permanently\r\nLocation: /browse\r\n\r\n<html><body>Please continue to the "
                b'<a href="/browse">journal browser</a>.</body></html>'
            ),
            "systemd-journal-gatewayd",
        ),
        (b"404 Not Found\r\nAccess-Control-Request-Method: GET\r\n\r\nNot Found\n", ""),
        (b"200 OK\r\n\r\n<title>Why I left Kiwix</title><h2>Exporters:</h2><ul>", ""),
    ],
)
async def test_a_first_page_names_what_serves_it(answer, product):
    async with listening(speaking(b"GET / ", b"HTTP/1.1 " + answer)) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert (found.name, found.product) == ("http", product)


def paths(pages: dict[bytes, bytes], asked: list[bytes]):
    """Serve `pages` by path, and `/` for any other; note what was asked."""

    async def serve(reader, writer):
        path = (await reader.read(4096)).split(b" ")[1]
        asked.append(path)
        writer.write(b"HTTP/1.1 " + pages.get(path, pages[b"/"]))
        await writer.drain()
        writer.close()

    return serve


TANG = {b"/": b"404 Not Found\r\nContent-Length: 0\r\n\r\n"}
KEYS = b'200 OK\r\nContent-Type: application/jose+json\r\n\r\n{"payload": "e30", "protected": "e30"}'


async def test_what_answers_without_any_header_is_asked_for_tangs_keys_and_nothing_else():
    asked = []
    async with listening(paths(TANG | {b"/adv": KEYS}, asked)) as number:
        found = await ask(number, Port(number, "http", probed=True))
    assert found == Finding("http", "Tang")
    assert set(asked) == {b"/", b"/adv"}


async def test_a_relay_of_syncthings_is_known_by_its_status():
    missing = b"404 Not Found\r\nContent-Type: text/plain\r\n\r\n404 page not found\n"
    status = (
        b'200 OK\r\nContent-Type: application/json\r\n\r\n{"numPendingSessionKeys": 0, "version": "v1.29.5"}'
    )
    asked = []
    async with listening(paths({b"/": missing, b"/status": status}, asked)) as number:
        found = await ask(number, Port(number, "http", probed=True))
    assert (found.product, found.version) == ("Syncthing relay", "1.29.5")
    assert len(asked) <= 9


async def test_a_web_server_that_leaves_a_request_without_headers_unanswered_is_heard():
    async with listening(
        speaking(b"GET / HTTP/1.1", b"HTTP/1.0 200 OK\r\nServer: owhttpd\r\n\r\n")
    ) as number:
        found = await ask(number, answer=0.4)
    assert found == Finding("http", "owhttpd")


async def test_a_program_behind_a_library_that_has_no_first_page_is_asked_for_its_metrics():
    metrics = b"200 OK\r\nContent-Type: text/plain\r\n\r\n# TYPE rabbitmq_build_info untyped\n"
    metrics += b'rabbitmq_build_info{rabbitmq_version="4.0.5",erlang_version="27.3"} 1\n'
    pages = {b"/": b"404 Not Found\r\nServer: Cowboy\r\n\r\n{}", b"/metrics": metrics}
    async with listening(paths(pages, [])) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert (found.product, found.version) == ("RabbitMQ", "4.0.5")


async def test_a_program_under_a_path_of_its_own_is_found_three_redirects_on():
    places = (b"/", b"/prometheus", b"/prometheus/", b"/prometheus/query")
    pages = {here: b"302 Found\r\nLocation: " + there + b"\r\n\r\n" for here, there in pairwise(places)}
    title = b"<title>Prometheus Time Series Collection and Processing Server</title>"
    pages[places[-1]] = b"200 OK\r\n\r\n" + title
    async with listening(paths(pages, [])) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert found.product == "Prometheus"


async def test_what_waits_for_a_debugger_states_its_version():
    refusal = b"400 Bad Request\r\n\r\nWebSockets request was expected\r\n"
    version = b'200 OK\r\n\r\n{\n  "Browser": "node.js/v20.19.2",\n  "Protocol-Version": "1.1"\n} '
    async with listening(paths({b"/": refusal, b"/json/version": version}, [])) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert (found.product, found.version) == ("Node.js inspector", "20.19.2")


FALCON = {
    b"/": b'404 Not Found\r\nServer: gunicorn\r\n\r\n{"title": "404 Not Found"}',
    b"/3.1": b'401 x\r\nServer: gunicorn\r\nWWW-Authenticate: Basic realm="mailman3-rest"\r\n\r\n{}',
}


async def test_an_application_of_falcons_is_asked_whether_it_is_mailman_and_nobody_else_is():
    async with listening(paths(FALCON, [])) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert found == Finding("http", "GNU Mailman", "", "Gunicorn")
    asked = []
    async with listening(paths(FALCON | {b"/": b"404 Not Found\r\n\r\n{}"}, asked)) as number:
        await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert b"/3.1" not in asked


GO_ERROR = b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"


@pytest.mark.parametrize(
    ("answer", "product"),
    [
        (b"401 Unauthorized\r\nWww-Authenticate: Basic\r\n" + GO_ERROR + b"\r\nUnauthorized\n", "Golang"),
        (b"405 Method Not Allowed\r\n" + GO_ERROR + b"\r\nMethod Not Allowed\n", "Golang"),
        # Without the line feed, without the headers, or with words of its own.
        (b"401 Unauthorized\r\n" + GO_ERROR + b"\r\nUnauthorized", ""),
        (b"401 Unauthorized\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nUnauthorized\n", ""),
        (b"401 Unauthorized\r\n" + GO_ERROR + b"\r\nno\n", ""),
    ],
)
async def test_an_error_as_gos_library_writes_it_shows_that_library(answer, product):
    async with listening(speaking(b"GET / ", b"HTTP/1.1 " + answer)) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert found.product.partition(" ")[0] == product


FASTAPI = {
    b"/": b'404 Not Found\r\nServer: uvicorn\r\n\r\n{"detail":"Not Found"}',
    b"/openapi.json": (
        b'200 OK\r\nServer: uvicorn\r\n\r\n{"openapi":"3.1.0","info":{"title":"Orders","version":"2.3"}}'
    ),
}


async def test_an_application_of_fastapi_is_called_what_its_description_does():
    async with listening(paths(FASTAPI, [])) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert found == Finding("http", "Orders", "2.3", "Uvicorn")


@pytest.mark.parametrize("body", [b"Not Found", b'{"detail":"Not found."}'])
async def test_nobody_else_is_asked_for_a_description(body):
    asked = []
    pages = FASTAPI | {b"/": b"404 Not Found\r\nServer: uvicorn\r\n\r\n" + body}
    async with listening(paths(pages, asked)) as number:
        found = await ask(number, Port(number, "http", probed=True), answer=0.3, seconds=4)
    assert found.product == "Uvicorn"
    assert b"/openapi.json" not in asked
