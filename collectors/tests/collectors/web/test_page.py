import time
from itertools import islice, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collectors.web.client import BODY_BYTES, Answer
from discovery_collectors.collectors.web.framework import read_server, recognise
from discovery_collectors.collectors.web.page import Page, read_page


def answer(body=b"", cookies=(), **headers) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(200, {"content-type": "text/html"} | named, tuple(cookies), body, None)


@pytest.mark.parametrize(
    ("headers", "body", "title"),
    [
        ({}, "<title>Größe</title>".encode(), "Größe"),
        (
            {"content_type": "text/html; charset=iso-8859-1"},
            "<title>Größe</title>".encode("latin-1"),
            "Größe",
        ),
        ({}, '<meta charset="windows-1252"><title>5 €</title>'.encode("cp1252"), "5 €"),
        ({"content_type": "text/html; charset=zlib_codec"}, b"<title>x</title>", "x"),
        ({"content_type": "text/html; charset=unicode_escape"}, b"<title>\\x41</title>", "\\x41"),
        ({"content_type": "text/html; charset=nonsense"}, b"<title>x</title>", "x"),
        ({}, b"<svg><title>drawing</title></svg>", "drawing"),
        ({"content_type": "application/json"}, b"<title>x</title>", ""),
        ({}, b"<title>a\0b</title>", "a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_a_title_is_read_by_the_charset_of_the_page(headers, body, title):
    assert read_page(answer(body, **headers)).title == title


@given(st.binary(max_size=400))
def test_whatever_a_page_is_it_is_read(body):
    read_page(answer(body))


def test_deep_nesting_is_no_danger():
    assert read_page(answer(b"<div>" * 40_000 + b"<title>x")).title in {"", "x"}


def test_one_element_with_all_attributes_that_a_page_has_room_for_takes_no_time():
    names = ("".join(name) for name in product("abcdefghijklmnop", repeat=4))
    body = f"<a {' '.join(islice(names, BODY_BYTES // 5 - 10))} href=x>y".encode()
    assert len(body) < BODY_BYTES
    before = time.process_time()
    assert read_page(answer(body)).links == (("x", "y"),)
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    "body", [b"<a><b>x" * 37_000, b"<b>" * 40_000 + b"</i>" * 30_000], ids=["texts", "ends that fit none"]
)
def test_elements_within_each_other_to_a_page_s_end_take_no_time(body):
    before = time.process_time()
    page = read_page(answer(b"<title>t</title><a href=/1>one</a>" + body[:250_000] + b"<a href=/2>two"))
    assert page == Page(title="t", links=(("/1", "one"),), whole=False)
    assert time.process_time() - before < 0.5


def test_links_and_titles_have_the_text_within_them():
    body = (
        b"<title>A &amp; <b>B</b></title><title>other</title><a href=/1>one <b>two</b>\n three</a> four"
        b"<svg><a href=/2>five<a href=/3>six</a></a></svg><a>seven</a>" + b"<a href=/4>" + b"word " * 100
    )
    assert read_page(answer(body)) == Page(
        title="A & <b>B</b>",
        links=(("/1", "one two three"), ("/2", "five"), ("/3", "six"), ("/4", ("word " * 20).strip() + " ")),
    )


@pytest.mark.parametrize(
    ("shown", "framework"),
    [
        (answer(x_powered_by="Express"), ("Express", "")),
        (answer(x_powered_by="PHP/8.4.11"), ("PHP", "8.4.11")),
        (answer(x_powered_by="ASP.NET", x_aspnet_version="4.0.30319"), ("ASP.NET", "4.0.30319")),
        (
            answer(b'<meta name="generator" content="WordPress 6.8.1">', x_powered_by="PHP/8.3"),
            ("WordPress", "6.8.1"),
        ),
        (answer(b'<meta name="Generator" content="Drupal 10 (https://www.drupal.org)">'), ("Drupal", "10")),
        (answer(cookies=["csrftoken"]), ("Django", "")),
        (answer(cookies=["PHPSESSID", "laravel_session"]), ("Laravel", "")),
        (answer(b'<app-root ng-version="19.2.1">'), ("Angular", "19.2.1")),
        (answer(b'<input type="hidden" name="csrfmiddlewaretoken" value="x">'), ("Django", "")),
    ],
)
def test_a_framework_is_recognised_by_its_marks(shown, framework):
    found = recognise([(shown, read_page(shown))])
    assert (found.name, found.version) == framework


@pytest.mark.parametrize(
    "shown", [answer(), answer(x_powered_by="\x1b[31m"), answer(b"Powered by WordPress")]
)
def test_no_framework_is_recognised_without_marks(shown):
    assert recognise([(shown, read_page(shown))]) is None


@pytest.mark.parametrize(
    ("header", "reported"),
    [
        ("nginx/1.26.3 (Debian)", ("nginx", "1.26.3")),
        ("Apache/2.4.65 (Debian) OpenSSL/3.5", ("Apache", "2.4.65")),
        ("Microsoft-IIS/10.0", ("Microsoft-IIS", "10.0")),
        ("gunicorn", ("gunicorn", "")),
        ("", ("", "")),
        ("\x01\x02", ("", "")),
    ],
)
def test_a_server_header_is_split_into_product_and_version(header, reported):
    assert read_server(header) == reported
