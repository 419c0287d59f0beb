import html.parser
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_replica.recipes.templates import Values, plain_title, render

PLACES = {"here": "/srv/stand-in/01-nginx-80", "run": "/run/stand-in/01-nginx-80", "name": "web-1"}


def values(title: str = "Shop", *, tls: bool = False) -> Values:
    return Values(port=80, title=title, tls=tls, **PLACES)


def test_placeholders_are_replaced_once_each() -> None:
    text = "listen @address@:@port@ @here@/www @name@ @certificate@\n"
    wanted = (
        "listen 0.0.0.0:80 /srv/stand-in/01-nginx-80/www web-1 /srv/stand-in/01-nginx-80/certificate.pem\n"
    )
    assert render(text, values()) == wanted


def test_lines_for_tls_stay_with_tls_only() -> None:
    text = "a\n@tls b\n@plain c\n"
    assert render(text, values(tls=True)) == "a\nb\n"
    assert render(text, values()) == "a\nc\n"


def test_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no placeholder @shell@"):
        render("@shell@", values())


@given(st.text(max_size=300))
def test_no_title_means_anything_to_a_program(title: str) -> None:
    plain = plain_title(title)
    assert re.fullmatch(r"[A-Za-z0-9 .,:()_-]{1,100}", plain)
    page = render("<title>@title@</title>", values(title))
    seen: list[str] = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            seen.append(tag)

    Reader().feed(page)
    assert seen == ["title"]
    assert "@" not in page
    assert plain in page


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_is_a_port(port: int) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        Values(port=port, title="", **PLACES)


@pytest.mark.parametrize("name", ["$(id)", "a b", "A", "a\n", "-a", ""])
def test_a_name_is_a_label(name: str) -> None:
    with pytest.raises(ValueError, match="DNS label"):
        Values(port=1, title="", **{**PLACES, "name": name})


@pytest.mark.parametrize("folder", ["relative", "/a/../b", "/a;id", "/a b", "/"])
def test_a_folder_is_a_plain_path(folder: str) -> None:
    with pytest.raises(ValueError, match="absolute path of plain names"):
        Values(port=1, title="", **{**PLACES, "here": folder})
