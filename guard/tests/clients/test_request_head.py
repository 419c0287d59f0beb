"""One canonical form of a request's head; whatever two parsers could read differently is refused."""

import string
from urllib.parse import quote

import pytest
from guard_stage import judged
from hypothesis import given
from hypothesis import strategies as st

from docker_guard.clients.request_head import MAX_HEADERS, parse_head, parse_path, parse_query
from docker_guard.refusal import Refusal

GOOD = b"GET /v1.45/containers/json?all=1 HTTP/1.1\r\nHost: docker\r\n"

REFUSED_HEADS = {
    "absolute form": b"GET http://docker/_ping HTTP/1.1\r\nHost: d\r\n",
    "authority form": b"CONNECT docker:80 HTTP/1.1\r\nHost: d\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: d\r\n",
    "old version": b"GET /_ping HTTP/1.0\r\nHost: d\r\n",
    "version 2": b"GET /_ping HTTP/2.0\r\nHost: d\r\n",
    "no version": b"GET /_ping\r\nHost: d\r\n",
    "two spaces": b"GET  /_ping HTTP/1.1\r\nHost: d\r\n",
    "a tab": b"GET\t/_ping HTTP/1.1\r\nHost: d\r\n",
    "lower case": b"get /_ping HTTP/1.1\r\nHost: d\r\n",
    "another method": b"PUT /_ping HTTP/1.1\r\nHost: d\r\n",
    "a fragment": b"GET /_ping#x HTTP/1.1\r\nHost: d\r\n",
    "an empty query": b"GET /_ping? HTTP/1.1\r\nHost: d\r\n",
    "no host": b"GET /_ping HTTP/1.1\r\n",
    "two hosts": b"GET /_ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
    "two lengths": GOOD + b"Content-Length: 1\r\nContent-Length: 1\r\n",
    "lengths in a list": GOOD + b"Content-Length: 1, 1\r\n",
    "a signed length": GOOD + b"Content-Length: +1\r\n",
    "a length in hex": GOOD + b"Content-Length: 0x1\r\n",
    "a padded length": GOOD + b"Content-Length: 01\r\n",
    "a huge length": GOOD + b"Content-Length: 99999999999999999999\r\n",
    "an empty length": GOOD + b"Content-Length:\r\n",
    "chunked": GOOD + b"Transfer-Encoding: chunked\r\n",
    "chunked beside a length": GOOD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "an upgrade": GOOD + b"Upgrade: tcp\r\n",
    "a connection upgrade": GOOD + b"Connection: Upgrade\r\n",
    "a hop-by-hop header": GOOD + b"Connection: Content-Length\r\n",
    "an expectation": GOOD + b"Expect: 100-continue\r\n",
    "a compressed body": GOOD + b"Content-Encoding: gzip\r\n",
    "a browser": GOOD + b"Origin: http://example\r\n",
    "a folded header": GOOD + b"X-A: b\r\n c\r\n",
    "a space before the colon": GOOD + b"Content-Length : 5\r\n",
    "a header without a name": GOOD + b": x\r\n",
    "a bare line feed": GOOD + b"X-A: b\nTransfer-Encoding: chunked\r\n",
    "a bare carriage return": GOOD + b"X-A: b\rc\r\n",
    "a zero byte": GOOD + b"X-A: \x00\r\n",
    "a byte above ASCII": GOOD + b"X-A: \xff\r\n",
    "an underscore": GOOD + b"Content_Length: 5\r\n",
    "many headers": GOOD + b"".join(b"X-%d: 1\r\n" % number for number in range(MAX_HEADERS)),
    "a leading empty line": b"\r\n" + GOOD,
}


@pytest.mark.parametrize("head", REFUSED_HEADS.values(), ids=REFUSED_HEADS.keys())
def test_refuses_a_head_in_any_other_form(head):
    with pytest.raises(Refusal) as refused:
        parse_head(head + b"\r\n")
    assert refused.value.status == 400


def test_reads_what_docker_sends():
    raw = (
        b"POST /v1.45/containers/create?name=dryrun-a HTTP/1.1\r\nHost: api.moby.localhost\r\n"
        b"User-Agent: Docker-Client/26.1.5 (linux)\r\nContent-Length: 12\r\n"
        b"Content-Type: application/json\r\n\r\n"
    )
    head = parse_head(raw)
    assert (head.method, head.path, dict(head.query)) == (
        "POST",
        "/v1.45/containers/create",
        {"name": "dryrun-a"},
    )
    assert (head.length, head.is_json, head.keep_alive) == (12, True, True)


@pytest.mark.parametrize(
    "path",
    [
        "//_ping",
        "/./_ping",
        "/containers/../images/json",
        "/containers/%2e%2e/x",
        "/%5fping",
        "/_ping/",
        "/a;b",
        "/a\\b",
        "/a b",
        "/é",
        "",
        "x",
        "/containers//json",
        "/.x",
    ],
)
def test_refuses_paths_of_another_form(path):
    with pytest.raises(Refusal):
        parse_path(path)


QUERIES = [
    "a",
    "a=1&a=1",
    "a=1&a=2",
    "=1",
    "a=1&",
    "&a=1",
    "a=%",
    "a=%4",
    "a=%zz",
    "%61=1",
    "a=1;b=2",
    "a=%00",
    "a=%ff",
    "a==",
    "a=%0a",
    "a=%7f",
    "a=%ed%a0%80",
    "a=é",
    'a="x"',
    "a={}",
]


@pytest.mark.parametrize("query", QUERIES)
def test_refuses_queries_of_another_form(query):
    with pytest.raises(Refusal):
        parse_query(query)


VALUES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)
KEYS = st.text(string.ascii_letters, min_size=1, max_size=8)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5))
def test_reads_back_what_a_client_encodes(parameters):
    text = "&".join(f"{key}={quote(value, safe='')}" for key, value in parameters.items())
    assert parse_query(text) == parameters


@given(st.binary(max_size=400))
def test_anything_is_a_head_or_refused(raw):
    match judged(lambda: parse_head(b"GET /_ping HTTP/1.1\r\nHost: d\r\n" + raw + b"\r\n\r\n")):
        case Refusal() as refused:
            assert refused.status == 400
        case head:
            assert (head.method, head.path) == ("GET", "/_ping")


@given(st.text(string.ascii_letters + "/.%-_;\\ \x00é:", max_size=40))
def test_a_path_that_passes_has_plain_segments_only(text):
    try:
        path = parse_path(text)
    except Refusal:
        return
    assert path == text
    segments = path.split("/")[1:]
    assert all(segment and segment[0] not in ".%" and ".." not in segment[:2] for segment in segments)


TRACE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
BOTH = "-".join(TRACE)


def test_reads_which_trace_a_request_belongs_to():
    head = parse_head(GOOD + f"traceparent: 00-{BOTH}-01\r\n\r\n".encode())
    assert head.trace == TRACE


@pytest.mark.parametrize(
    "value",
    [
        "", "x", "00", f"01-{BOTH}-01", f"00-{BOTH.upper()}-01", f"00-{BOTH}-01-x",
        f"00-{'0' * 32}-{TRACE[1]}-01", f"00-{TRACE[0]}-{'0' * 16}-01", "A" * 8000,
        '00-"},{"verdict":"allowed"',
    ],
)  # fmt: skip
def test_any_other_trace_counts_as_none_and_decides_nothing(value):
    head = parse_head(GOOD + f"traceparent: {value}\r\n\r\n".encode())
    assert head.trace is None
    assert head == parse_head(GOOD + b"\r\n")
