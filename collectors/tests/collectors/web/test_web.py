import asyncio
import socket
import time

import pytest
from web_server import WebServer, page, redirect

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.web import client as web_client
from discovery_collectors.collectors.web import collector as web
from discovery_collectors.collectors.web.collector import collect
from discovery_collectors.running.scope import Scope
from dryrun_contract.discovery import Discovery

FORM = '<form><input type="password" name="p"></form>'


def service(port, host="127.0.0.1", **data):
    reported = {"name": "http", "method": "probed", **data}
    return Discovery(kind="service", key=f"{host}:{port}/tcp", data=reported, confidence=0.9)


async def look(emit, *services, targets=("127.0.0.1",), **options):
    found = tuple(services)
    await collect(Assignment(Scope.parse(targets), discoveries=found, **options), emit)


async def look_at(server, emit, **options):
    async with server.running():
        await look(emit, service(server.port), **options)
    return f"127.0.0.1:{server.port}/tcp"


async def test_reports_title_server_framework_version_and_robots(emit):
    robots = b"User-agent: *\nDisallow: /checkout/ # not here\nDisallow:\nAllow: /x\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(robots)
    front = page("Gear \n for  wet hills", Server="nginx/1.26.3 (Debian)", X_Powered_By="PHP/8.4.11")
    key = await look_at(WebServer({"/": front, "/robots.txt": head + robots}), emit)
    assert emit.data("web_app", key) == {
        "status": 200,
        "path": "/",
        "title": "Gear for wet hills",
        "server": "nginx",
        "server_header": "nginx/1.26.3 (Debian)",
        "server_version": "1.26.3",
        "framework": "PHP",
        "version": "8.4.11",
        "evidence": "header X-Powered-By",
        "robots": ["/checkout/"],
    }


async def test_a_login_page_that_the_front_page_links_to_is_reported_by_its_path(emit):
    server = WebServer(
        {
            "/": page(
                "Register",
                '<a href="/admin/">Administration</a> <a href="/logout">Sign out</a> <a href="/x">X</a>',
            ),
            "/admin/": redirect("/admin/login/?next=/admin/"),
            "/admin/login/": page("Log in", FORM, Set_Cookie="csrftoken=canary-value; Path=/"),
        }
    )
    key = await look_at(server, emit)
    reported = emit.data("web_app", f"{key}/admin/login")
    assert (reported["title"], reported["login"], reported["framework"]) == ("Log in", True, "Django")
    assert "canary-value" not in str(emit.reported)
    assert server.paths == ["/", "/robots.txt", "/admin/", "/admin/login/?next=/admin/"]
    # What a page behind shows is true of the site as well.
    assert emit.data("web_app", key)["framework"] == "Django"


async def test_a_front_page_that_redirects_to_its_login_is_reported_once_as_site_and_once_as_login(emit):
    server = WebServer({"/": redirect("/login"), "/login": page("Sign in", FORM)})
    key = await look_at(server, emit)
    assert emit.keys("web_app") == [key, f"{key}/login"]
    assert emit.data("web_app", key)["redirects"] == ["/login"]


async def test_a_site_that_requires_a_login_itself_is_reported_with_the_method(emit):
    closed = page("Closed", status="401 Unauthorized", WWW_Authenticate='Basic realm="x"')
    key = await look_at(WebServer({"/": closed}), emit)
    assert (emit.data("web_app", key)["login"], emit.data("web_app", key)["login_by"]) == (True, "basic")


@pytest.mark.parametrize("status", ["404 Not Found", "503 Service Unavailable"])
async def test_a_server_without_a_front_page_is_no_site_and_gets_one_request(emit, status):
    server = WebServer({"/": page("Oops", status=status)})
    await look_at(server, emit)
    assert (emit.reported, server.paths) == ([], ["/"])


async def test_a_redirect_never_leads_to_another_server(emit):
    elsewhere = WebServer({}, host="127.0.0.2")
    async with elsewhere.running():
        for location in (
            f"http://127.0.0.2:{elsewhere.port}/",
            f"//127.0.0.2:{elsewhere.port}/x",
            "http://[::1]/",
        ):
            key = await look_at(
                WebServer({"/": redirect(location)}), emit, targets=("127.0.0.1", "127.0.0.2")
            )
            assert emit.data("web_app", key)["redirects"] == [location]
    assert elsewhere.connections == 0


async def test_a_name_is_not_resolved_but_requested_at_the_same_address(emit, monkeypatch):
    asked = []
    original = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: asked.append(host) or original(host, *a, **k)
    )
    server = WebServer({"/": page("never"), "/start": page("Intranet")})
    async with server.running():
        server.answers["/"] = redirect(f"http://intranet.corp.example:{server.port}/start")
        await look(emit, service(server.port))
    assert emit.data("web_app", f"127.0.0.1:{server.port}/tcp")["title"] == "Intranet"
    assert f"Host: intranet.corp.example:{server.port}" in server.requests[1]
    assert {str(host) for host in asked} <= {"127.0.0.1"}


async def test_a_circle_of_redirects_ends(emit):
    server = WebServer({"/": redirect("/a"), "/a": redirect("/")})
    await look_at(server, emit)
    assert len(server.paths) < 10


async def test_what_lies_outside_the_scope_gets_no_packet(emit):
    server = WebServer({"/": page("x")})
    async with server.running():
        await look(emit, service(server.port), targets=("127.0.0.2",))
    assert server.connections == 0
    assert "lies outside the targets" in emit.warnings[0]


async def write_forever(writer, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()


async def endless_body(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>")
    await write_forever(writer, b"A" * 65536)


async def endless_header(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    await write_forever(writer, b"A" * 65536)


async def endless_chunks(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await write_forever(writer, b"1\r\nA\r\n" * 1000)


async def nothing(writer):
    await asyncio.sleep(60)


async def a_bit_at_a_time(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("answer", [endless_body, endless_header, endless_chunks, nothing, a_bit_at_a_time])
async def test_a_server_that_never_ends_is_left_and_spoils_no_other(emit, monkeypatch, answer):
    monkeypatch.setattr(web_client, "REQUEST_SECONDS", 3)
    bad, good = WebServer({"/": answer}), WebServer({"/": page("Good")})
    begun = time.monotonic()
    async with bad.running(), good.running():
        await look(emit, service(bad.port), service(good.port))
    assert emit.data("web_app", f"127.0.0.1:{good.port}/tcp")["title"] == "Good"
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_10.0\r\n",
        b"HTTP/1.1 999999999999 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"\0" * 5000,
    ],
)
async def test_what_is_no_http_is_a_warning_and_no_site(emit, answer):
    async def say(writer):
        writer.write(answer)

    await look_at(WebServer({"/": say}), emit)
    assert emit.reported == []
    assert len(emit.warnings) == 1


async def test_a_port_that_only_its_number_makes_a_web_server_is_left_without_a_word(emit):
    async def say(writer):
        writer.write(b"hello\r\n")

    server = WebServer({"/": say})
    async with server.running():
        await look(emit, service(server.port, method="table"))
    assert (emit.reported, emit.warnings) == ([], [])


@pytest.mark.parametrize("name", ["ipp", "upnp"])
@pytest.mark.parametrize("method", ["probed", "table"])
async def test_pages_of_what_speaks_http_for_another_purpose_are_visited_if_it_has_shown_that(
    emit, name, method
):
    server = WebServer({"/": page("Home - CUPS 2.4.10")})
    async with server.running():
        await look(emit, service(server.port, name=name, method=method))
    assert emit.keys("web_app") == ([f"127.0.0.1:{server.port}/tcp"] if method == "probed" else [])
    assert bool(server.requests) is (method == "probed")


async def test_a_proxy_that_would_ask_itself_is_not_visited(emit):
    server = WebServer({"/": page("Unable to load website")})
    async with server.running():
        await look(emit, service(server.port, product="E2guardian http proxy"))
    assert server.requests == []
    assert not emit.keys("web_app")


async def test_hostile_texts_are_cut_and_stay_text(emit):
    title = "=cmd()<script>alert(1)</script>\x1b[31m\u202e" + "A" * 100_000
    front = page("x" * len(title.encode()), Server="S" * 5000, X_Powered_By="E" * 5000)
    front = front.replace(b"x" * len(title.encode()), title.encode())
    key = await look_at(WebServer({"/": front}), emit)
    reported = emit.data("web_app", key)
    assert reported["title"].startswith("=cmd()<script>alert(1)</script>")
    assert all(len(str(value)) <= 300 for value in reported.values())


async def test_a_rate_is_kept_by_asking_one_after_the_other(emit, monkeypatch):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await look_at(WebServer({"/": page("x")}), emit, max_rate=100)
    assert [pause for pause in pauses if pause] == [0.1, 0.1]


async def test_pauses_that_a_rate_requires_do_not_count_as_the_site_s_time(emit, monkeypatch):
    monkeypatch.setattr(web, "_SITE_SECONDS", 0.3)
    # Pauses of 0.4 s, before each of two requests.
    key = await look_at(WebServer({"/": page("x")}), emit, max_rate=25)
    assert emit.warnings == []
    assert emit.data("web_app", key)["title"] == "x"


async def test_a_site_keeps_no_pauses_that_it_did_not_require(emit, monkeypatch):
    monkeypatch.setattr(web, "_SITE_SECONDS", 0.3)
    server = WebServer({"/": nothing})
    began = time.monotonic()
    # One pause of 0.5 s; 31 would be 15.5 s.
    await look_at(server, emit, max_rate=20)
    assert "stopped after 0.3 s" in emit.warnings[0]
    assert time.monotonic() - began < 5


def linking_to(*paths: str) -> bytes:
    return page("x", "".join(f'<a href="{path}">x</a>' for path in paths))


@pytest.mark.parametrize("pages", [5, 6])
async def test_pages_that_may_be_a_login_and_are_not_visited_are_said(emit, pages):
    server = WebServer({"/": linking_to(*(f"/admin/{number}" for number in range(pages)))})
    key = await look_at(server, emit)
    assert len(server.paths) == 2 + 5
    said = f"{key}: more than 5 pages that may be a login; the first 5 are visited"
    assert emit.warnings == [said] * (pages > 5)


async def test_what_is_surely_a_login_is_visited_before_what_may_be_one(emit):
    front = linking_to(*(f"/account/{number}" for number in range(9)), "/login")
    server = WebServer({"/": front, "/login": page("Sign in", FORM)})
    key = await look_at(server, emit)
    assert emit.keys("web_app") == [key, f"{key}/login"]


async def test_authors_are_no_logins(emit):
    server = WebServer({"/": linking_to("/author/jane", "/authors", "/oauth/authorize")})
    await look_at(server, emit)
    assert server.paths == ["/", "/robots.txt", "/oauth/authorize"]


async def test_a_login_that_many_links_lead_to_is_visited_once(emit):
    front = linking_to(*(f"/login?next=/{number}" for number in range(9)), "/admin/")
    server = WebServer({"/": front, "/login": page("Sign in", FORM)})
    await look_at(server, emit)
    assert server.paths == ["/", "/robots.txt", "/login?next=/0", "/admin/"]
    assert emit.warnings == []


def robots_of(*paths: str) -> bytes:
    text = "".join(f"Disallow: {path}\n" for path in paths).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(text) + text


async def test_paths_of_robots_that_are_not_reported_are_counted_and_may_be_logins(emit):
    robots = robots_of(*(f"/{number}/" for number in range(30)), "/login/")
    server = WebServer({"/": page("x"), "/robots.txt": robots, "/login/": page("Sign in", FORM)})
    key = await look_at(server, emit)
    data = emit.data("web_app", key)
    assert (len(data["robots"]), data["robots_total"]) == (20, 31)
    assert "more" not in data
    assert f"{key}/login" in emit.keys("web_app")


@pytest.mark.parametrize(
    "answers",
    [
        {"/": page("x", "<p>" + "x" * web_client.BODY_BYTES)},
        {"/": page("x", "<a href=/a>a</a>" * 2001)},
        {"/": page("x", "<b>" * 300)},
        {"/": page("x"), "/robots.txt": robots_of(*map(str, range(2001)))},
    ],
    ids=["a page too long", "too many links", "a page too deep", "too long a robots.txt"],
)
async def test_a_site_whose_leads_were_not_read_to_their_end_has_more(emit, answers):
    key = await look_at(WebServer(answers), emit)
    assert emit.data("web_app", key)["more"] is True


async def test_a_robots_txt_that_does_not_come_is_said(emit):
    async def hang_up(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")

    key = await look_at(WebServer({"/": page("x"), "/robots.txt": hang_up}), emit)
    assert emit.warnings[0].startswith(f"{key}: /robots.txt: no answer in HTTP: ")


@pytest.mark.parametrize(
    "link",
    [
        '<a href="/admin/reboot">x</a>',
        '<a href="/admin/%72eboot.cgi">x</a>',
        '<a href="/manage/device?action=restart">x</a>',
        '<a href="/console/">Factory-Reset</a>',
        '<a href="/login/reset">x</a>',
        '<a href="/account_delete">x</a>',
    ],
)
async def test_a_link_that_may_do_something_is_not_visited(emit, link):
    server = WebServer({"/": page("x", link)})
    await look_at(server, emit)
    assert server.paths == ["/", "/robots.txt"]
    assert emit.warnings == []


async def test_a_path_of_robots_that_may_do_something_is_not_visited(emit):
    server = WebServer({"/": page("x"), "/robots.txt": robots_of("/admin/restart", "/administrator/")})
    await look_at(server, emit)
    assert server.paths == ["/", "/robots.txt", "/administrator/"]


async def test_a_login_is_visited_wherever_it_leads_next(emit):
    server = WebServer({"/": linking_to("/login?next=/admin/delete/5"), "/login": page("Sign in", FORM)})
    assert f"{await look_at(server, emit)}/login" in emit.keys("web_app")
