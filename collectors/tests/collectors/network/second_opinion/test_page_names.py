import time

import pytest

from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer
from discovery_collectors.collectors.network.second_opinion.page_names import described, states, versioned


def page(body: str, status: int = 200, header: str = "") -> HttpAnswer:
    answer = HttpAnswer.read(f"HTTP/1.1 {status} x\r\n{header}\r\n{body}".encode())
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("title", "product"),
    [
        ("Xandikos WebDAV server", "Xandikos WebDAV server"),
        ("Purple I2P Webconsole", "Purple I2P Webconsole"),
        ("Login - Acme Gateway", "Acme Gateway"),
        ("Frobnicator Manager: overview", "Frobnicator Manager"),
        # Somebody's site, and pages that name nobody.
        ("Pineharbour Ltd", ""),
        ("Server status", ""),
        ("Welcome to the API server", ""),
        ("10.213.0.3:8003/ server", ""),
        ("404 Not Found", ""),
        ("The quite long title of an article about a server", ""),
        ("", ""),
    ],
)
def test_a_title_names_a_program_where_it_says_what_it_is(title, product):
    assert states(page(f"<title>{title}</title>")) == (product, "")


@pytest.mark.parametrize(
    ("title", "description", "product"),
    [
        ("SOGo", "SOGo Web Interface", "SOGo Web Interface"),
        ("Glewlwyd admin", "Glewlwyd  SSO Authorization Server", "Glewlwyd SSO Authorization Server"),
        # A description of something else than what the title names, or of nothing.
        ("Pineharbour Ltd", "Acme Web Interface", ""),
        ("SOGo", "SOGo, our groupware", ""),
        ("SOGo", "SOGoing Web Interface", ""),
        ("", "SOGo Web Interface", ""),
        ("Login", "Login server", ""),
    ],
)
def test_a_description_names_a_program_where_it_begins_as_the_title_does(title, description, product):
    described_page = f'<title>{title}</title><meta name="description" content="{description}" />'
    assert states(page(described_page)) == (product, "")


def test_an_error_page_is_signed_by_its_server_and_its_title_names_nobody():
    signed = "<title>400 Bad Request</title><hr><p><small><i>pmproxy/6.3.8</i></small></p>"
    assert states(page(signed, 400)) == ("pmproxy", "6.3.8")
    assert states(page("<title>Acme Gateway</title>", 502)) == ("", "")
    assert states(page("<i>pmproxy/6.3.8</i>")) == ("", "")


@pytest.mark.parametrize(
    ("realm", "product"),
    [
        ('Basic realm="Acme Device Manager"', "Acme Device Manager"),
        ('Digest qop="auth", realm="frob-control-agent", nonce="x server"', "frob-control-agent"),
        ('Basic realm="Pineharbour Ltd"', ""),
        ('Basic realm="Login to our server"', ""),
        ('Basic realm="Private console"', ""),
        ("Basic", ""),
    ],
)
def test_a_login_names_what_it_is_for_as_a_title_does(realm, product):
    assert states(page("<title>401</title>", 401, f"WWW-Authenticate: {realm}\r\n")) == (product, "")
    assert states(page("", 404, f"WWW-Authenticate: {realm}\r\n")) == ("", "")


@pytest.mark.parametrize(
    ("header", "stated"),
    [
        ("X-Frobnicator-Version: v2.4.1", ("Frobnicator", "2.4.1")),
        ("x-frob-version: 12.0", ("Frob", "12.0")),
        # A day, a number of an interface, a layer, and what is only called alike.
        ("X-Frob-Version: 2024-05-01", ("", "")),
        ("X-Frob-Version: 7", ("", "")),
        ("X-Api-Version: 1.2", ("", "")),
        ("X-AspNetMvc-Version: 5.2", ("", "")),
        ("X-Application-Version: 1.2", ("", "")),
        ("X-Server-Version: 1.2", ("", "")),
        ("X-Frob-Version-Id: 1.2", ("", "")),
        ("X-Min-Frob-Version: 1.2", ("", "")),
    ],
)
def test_a_header_called_after_a_product_states_its_version(header, stated):
    assert versioned(page("", 200, header + "\r\n")) == stated


@pytest.mark.parametrize(
    ("info", "named"),
    [
        ('"title":"Order Desk","version":"2.3.1"', ("Order Desk", "2.3.1")),
        (
            '"title":"Frob","description":"\\"version\\":\\"9\\"","contact":{"name":"x"},"version":"v1.4"',
            ("Frob", "1.4"),
        ),
        ('"title":"Order Desk","version":"latest"', ("Order Desk", "")),
        # What FastAPI calls an application that has no name, and what names nothing.
        ('"title":"FastAPI","version":"0.1.0"', ("", "")),
        ('"title":"API","version":"1.0"', ("", "")),
        ('"title":"My service","version":"1.0"', ("", "")),
        ('"title":"","version":"1.0"', ("", "")),
    ],
)
def test_an_interface_that_is_described_names_its_program(info, named):
    assert described(page(f'{{"openapi":"3.1.0","info":{{{info}}},"paths":{{}}}}')) == named
    assert described(page(f'<p>{{"openapi":"3.1.0","info":{{{info}}},"paths":{{}}}}')) == ("", "")
    assert described(page(f'{{"interfaces":[{{"openapi":"3.1.0","info":{{{info}}}}}]}}')) == ("", "")


@pytest.mark.parametrize(
    "body", ["<i>" * 20000, "<title>" + "a - " * 15000, "<small>A" + "a" * 60000, "<meta " * 10000]
)
def test_a_hostile_page_is_read_at_once(body):
    began = time.process_time()
    states(page(body, 400))
    assert time.process_time() - began < 0.5
