"""Header fields with power, for the engine or for a server in between."""

from typing import Final

from vectors.row import ALLOWED, DROPPED, HARMLESS, REFUSED, Vector, container

CLASS: Final = "Headers"
NOT_FORWARDED: Final = "headers are not forwarded"
NO_UPGRADE: Final = "nothing hijacks a connection, but for the input of a collector that has one"
BOUNDED: Final = "bounded sizes"
PLAIN: Final = "plain header fields"

_LIST = "/v1.45/containers/json"


def _on_create(
    name: str, what: str, rule: str, *headers: tuple[str, str], answers: frozenset[int] = HARMLESS
) -> Vector:
    return Vector(f"header-{name}", what, rule, headers=headers, body=container(), answers=answers)


def _on_list(
    name: str, what: str, rule: str, *headers: tuple[str, str], answers: frozenset[int] = HARMLESS
) -> Vector:
    return Vector(f"header-{name}", what, rule, method="GET", path=_LIST, headers=headers, answers=answers)


def _on_attach(name: str, what: str, *headers: tuple[str, str], query: str = "&stdout=1") -> Vector:
    path = f"/v1.45/containers/@TARGET_ID@/attach?stream=1&stdin=1{query}"
    return Vector(f"header-{name}", what, NO_UPGRADE, path=path, headers=headers, answers=REFUSED, seconds=3)


VECTORS: Final = (
    _on_create("registry-auth", "X-Registry-Auth", NOT_FORWARDED, ("X-Registry-Auth", "eyJ4IjoieSJ9")),
    _on_create("registry-config", "X-Registry-Config", NOT_FORWARDED, ("X-Registry-Config", "e30=")),
    _on_create("meta", "X-Meta-", NOT_FORWARDED, ("X-Meta-Owner", "root")),
    _on_create("authorization", "Authorization", NOT_FORWARDED, ("Authorization", "Bearer x")),
    _on_create(
        "forwarded",
        "X-Forwarded-For and -Prefix",
        NOT_FORWARDED,
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Prefix", "/images"),
    ),
    _on_create(
        "original-url",
        "X-Original-URL and X-Rewrite-URL",
        NOT_FORWARDED,
        ("X-Original-URL", "/images/json"),
        ("X-Rewrite-URL", "/images/json"),
    ),
    _on_create("expect", "Expect: 100-continue", NOT_FORWARDED, ("Expect", "100-continue")),
    _on_create(
        "expect-other",
        "Expect: something else",
        NOT_FORWARDED,
        ("Expect", "200-maybe"),
        answers=HARMLESS | {417},
    ),
    _on_create(
        "connection-names",
        "Connection names Content-Length as hop by hop",
        NOT_FORWARDED,
        ("Connection", "close, Content-Length, Content-Type"),
    ),
    _on_list(
        "upgrade-tcp", "Upgrade: tcp on a listing", NO_UPGRADE, ("Connection", "Upgrade"), ("Upgrade", "tcp")
    ),
    _on_list(
        "upgrade-h2c",
        "Upgrade: h2c, by which a second protocol passes unread",
        NO_UPGRADE,
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ),
    _on_list(
        "upgrade-websocket",
        "Upgrade: websocket",
        NO_UPGRADE,
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ),
    _on_attach("attach-upgrade", "attach with Upgrade: tcp", ("Connection", "Upgrade"), ("Upgrade", "tcp")),
    _on_attach("attach-case", "attach with UPGRADE: TCP", ("CONNECTION", "UPGRADE"), ("UPGRADE", "TCP")),
    _on_attach(
        "attach-input",
        "the input of a container that has none",
        ("Connection", "Upgrade"),
        ("Upgrade", "tcp"),
        query="",
    ),
    _on_attach(
        "attach-logs",
        "what a container wrote, beside its input",
        ("Connection", "Upgrade"),
        ("Upgrade", "tcp"),
        query="&logs=1",
    ),
    _on_attach("attach-plain", "attach without Upgrade, which hijacks too"),
    _on_list("host-other", "another Host", NOT_FORWARDED, ("Host", "evil.example")),
    _on_list("range", "Range", NOT_FORWARDED, ("Range", "bytes=0-1")),
    _on_list("te", "TE: trailers", NOT_FORWARDED, ("TE", "trailers")),
    _on_list("encoding", "Accept-Encoding", NOT_FORWARDED, ("Accept-Encoding", "gzip, br")),
    Vector(
        "header-backtracking",
        "15,000 blanks before a byte that fits no pattern: time to the third power",
        BOUNDED,
        wire=b"GET /_ping HTTP/1.1\r\nHost: docker\r\nX: " + b" " * 15_000 + b"\x80\r\n\r\n",
        answers=DROPPED,
        seconds=3,
    ),
    Vector(
        "header-backtracking-name",
        "15,000 letters before a byte that fits no pattern, for a name",
        BOUNDED,
        wire=b"GET /_ping HTTP/1.1\r\nHost: docker\r\n" + b"x" * 15_000 + b"\x80: y\r\n\r\n",
        answers=DROPPED,
        seconds=3,
    ),
    Vector(
        "header-backtracking-path",
        "a path of 7,000 segments and a byte that fits no pattern",
        BOUNDED,
        wire=b"GET " + b"/a" * 7_000 + b"\x80 HTTP/1.1\r\nHost: docker\r\n\r\n",
        answers=DROPPED,
        seconds=3,
    ),
    Vector(
        "header-backtracking-query",
        "a query of 15,000 letters and an escape that is none",
        BOUNDED,
        method="GET",
        path=_LIST + "?filters=" + "a" * 15_000 + "%zz",
    ),
    _on_list("huge", "a header of 1 MiB", BOUNDED, ("X-Huge", "x" * 2**20), answers=DROPPED),
    _on_list("name-huge", "a header name of 100 KiB", BOUNDED, ("X" * 100_000, "x"), answers=DROPPED),
    _on_list(
        "many", "twenty thousand headers", BOUNDED, *((f"X-{n}", "x") for n in range(20_000)), answers=DROPPED
    ),
    Vector(
        "header-nul",
        "a NUL in a header's value",
        PLAIN,
        wire=b"GET /v1.45/containers/json HTTP/1.1\r\nHost: docker\r\nX: a\x00b\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "header-nul-name",
        "a NUL in a header's name",
        PLAIN,
        wire=b"GET /v1.45/containers/json HTTP/1.1\r\nHost: docker\r\nX\x00: ab\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "header-obs-fold",
        "a folded header",
        PLAIN,
        wire="GET /v1.45/containers/json HTTP/1.1\r\nHost: docker\r\nX: a\r\n b\r\nConnection: close\r\n\r\n",
        answers=DROPPED | ALLOWED,
    ),
    Vector(
        "header-no-host",
        "no Host",
        PLAIN,
        wire="GET /v1.45/containers/json HTTP/1.1\r\nConnection: close\r\n\r\n",
        answers=DROPPED | ALLOWED,
    ),
    Vector(
        "header-two-hosts",
        "two Hosts",
        PLAIN,
        wire="GET /v1.45/containers/json HTTP/1.1\r\nHost: docker\r\nHost: evil\r\nConnection: close\r\n\r\n",
        answers=DROPPED | ALLOWED,
    ),
    Vector(
        "header-space-before-colon",
        "a space before a colon",
        PLAIN,
        wire="GET /v1.45/containers/json HTTP/1.1\r\nHost : docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
)
