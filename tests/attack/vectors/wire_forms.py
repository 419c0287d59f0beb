"""Requests in forms of HTTP that a proxy and an engine behind it read differently."""

from typing import Final

from vectors.row import ALLOWED, DROPPED, Vector

CLASS: Final = "Forms of HTTP"
HTTP_1_1: Final = "plain HTTP/1.1"
ONE_LENGTH: Final = "one unambiguous length"
PATH: Final = "one canonical path: plain ASCII, no empty or dotted segment, nothing encoded"
HEADERS: Final = "plain header fields"
NO_HIJACK: Final = "nothing hijacks a connection, but for the input of a collector that has one"
NO_BODY: Final = "no body where none belongs"
ROUTES: Final = "routes are a table: what is not in it is refused"

_HOST: Final = "Host: docker\r\n"
_END: Final = "Connection: close\r\n\r\n"
_CREATE: Final = "POST /v1.45/containers/create?name=dryrun-form HTTP/1.1\r\n"
_JSON: Final = "Content-Type: application/json\r\n"
_LENGTH: Final = "Content-Length: @EVIL_LENGTH@\r\n"
_START: Final = "POST /v1.45/containers/@TARGET_ID@/start HTTP/1.1\r\n"
_HIDDEN: Final = f"DELETE /v1.45/containers/@VICTIM_ID@?force=1 HTTP/1.1\r\n{_HOST}{_END}"


def _wire(
    name: str, what: str, rule: str, *parts: str, answers: frozenset[int] = DROPPED, more: int = 0
) -> Vector:
    return Vector(
        f"form-{name}", what, rule, wire="".join(parts), answers=answers, more_answers=more, seconds=1.5
    )


def _create(name: str, what: str, rule: str, headers: str, body: str = "@EVIL@", more: int = 1) -> Vector:
    return _wire(name, what, rule, _CREATE, _HOST, headers, "\r\n", body, more=more)


_LENGTHS: Final = {
    "zeros": "Content-Length: 00@EVIL_LENGTH@\r\n",
    "fraction": "Content-Length: @EVIL_LENGTH@.0\r\n",
    "fullwidth": "Content-Length: \uff12\r\n",
    "space-inside": "Content-Length: 1 0\r\n",
    "exponent": "Content-Length: 1e2\r\n",
    "semicolon": "Content-Length: @EVIL_LENGTH@;x\r\n",
    "comma-same": "Content-Length: @EVIL_LENGTH@,@EVIL_LENGTH@\r\n",
    "wrapped": f"Content-Length: {2**64}\r\n",
    "folded": "Content-Length:\r\n @EVIL_LENGTH@\r\n",
    "name-space": "Content-Length : @EVIL_LENGTH@\r\n",
    "name-tab": "Content-Length\t: @EVIL_LENGTH@\r\n",
    "name-underscore": "Content_Length: @EVIL_LENGTH@\r\n",
    "name-nul": "Content-Length\0: @EVIL_LENGTH@\r\n",
    "case-twice": "CONTENT-LENGTH: 0\r\ncontent-length: @EVIL_LENGTH@\r\n",
}
_ENCODINGS: Final = {
    "twice": "chunked, chunked",
    "quoted": '"chunked"',
    "parameter": "chunked;q=1",
    "empty": "",
    "space": "chunked ",
    "comma": ",chunked",
    "deflate": "deflate",
    "line": "chunked\r\n ,identity",
    "trailing-lf": "chunked\nX: y",
}
_TARGETS: Final = {
    "absolute-path": "http://docker/v1.45/containers/create",
    "absolute-upper": "HTTP://docker/v1.45/containers/create",
    "absolute-user": "http://a:b@docker/v1.45/containers/create",
    "absolute-unix": "unix:///var/run/docker.sock",
    "absolute-none": "http:///v1.45/containers/create",
    "scheme-relative": "//docker/v1.45/containers/create",
    "authority-port": "docker:2375",
    "backslash": "\\v1.45\\containers\\create",
    "encoded-path": "/v1.45/%63ontainers/create",
    "encoded-version": "/v1%2e45/containers/create",
    "encoded-nul": "/v1.45/containers/create%00",
    "encoded-line": "/v1.45/containers/create%0d%0aX:y",
    "encoded-percent": "/v1.45/containers/%25create",
    "semicolon": "/v1.45/containers/create;name=x",
    "overlong": "/v1.45/containers/%c1%a3reate",
    "wide": "/v1.45/%uff43ontainers/create",
    "dot-space": "/v1.45/containers/create .",
    "fragment": "/v1.45/containers/create#x",
    "star": "*",
}
_METHODS: Final = (
    "CONNECT",
    "TRACE",
    "OPTIONS",
    "PATCH",
    "PUT",
    "post",
    "POST\0",
    "PO ST",
    "M-SEARCH",
    "GET\tPOST",
)
_VERSIONS: Final = (
    "HTTP/1.0",
    "HTTP/1.10",
    "HTTP/1.1 ",
    "http/1.1",
    "HTTP/01.1",
    "HTTP/1.1\0",
    "HTTP/2",
    "HTTP/\uff11.1",
    "HTTPS/1.1",
    "",
)
_HOSTS: Final = {
    "list": "Host: a, b\r\n",
    "path": "Host: docker/x\r\n",
    "user": "Host: a@b\r\n",
    "space": "Host: a b\r\n",
    "case": "Host: a\r\nHOST: b\r\n",
    "query": "Host: docker?x\r\n",
}
_UPGRADES: Final = {
    "h2c": "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "tcp-create": "Connection: Upgrade\r\nUpgrade: tcp\r\n",
    "list": "Connection: keep-alive, Upgrade\r\nUpgrade: tcp\r\n",
    "alone": "Upgrade: tcp\r\n",
    "case": "Connection: UPGRADE\r\nUpgrade: TCP\r\n",
    "two": "Connection: Upgrade\r\nUpgrade: tcp, h2c\r\n",
    "twice": "Connection: close\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n",
}

VECTORS: Final = (
    *(
        _create(f"length-{name}", f"a length as {line!r}", ONE_LENGTH, _JSON + line)
        for name, line in _LENGTHS.items()
    ),
    *(
        _create(
            f"encoding-{name}",
            f"Transfer-Encoding {value!r}",
            ONE_LENGTH,
            f"{_JSON}Transfer-Encoding: {value}\r\n",
            "@EVIL_HEX@\r\n@EVIL@\r\n0\r\nX-Trailer: y\r\n\r\n",
        )
        for name, value in _ENCODINGS.items()
    ),
    *(
        _wire(
            f"target-{name}",
            f"the target {target!r}",
            PATH,
            f"POST {target} HTTP/1.1\r\n",
            _HOST,
            _JSON,
            _LENGTH,
            _END,
            "@EVIL@",
        )
        for name, target in _TARGETS.items()
    ),
    *(
        _wire(
            f"method-{number}",
            f"the method {method!r}",
            ROUTES,
            f"{method} /v1.45/containers/create HTTP/1.1\r\n",
            _HOST,
            _JSON,
            _LENGTH,
            _END,
            "@EVIL@",
        )
        for number, method in enumerate(_METHODS)
    ),
    *(
        _wire(
            f"version-{number}",
            f"the version {version!r}",
            HTTP_1_1,
            f"POST /v1.45/containers/create {version}\r\n",
            _HOST,
            _JSON,
            _LENGTH,
            _END,
            "@EVIL@",
        )
        for number, version in enumerate(_VERSIONS)
    ),
    *(
        _wire(f"host-{name}", f"{line!r}", HEADERS, _CREATE, line, _JSON, _LENGTH, _END, "@EVIL@")
        for name, line in _HOSTS.items()
    ),
    *(
        _wire(
            f"upgrade-{name}",
            f"an upgrade of a start: {lines!r}",
            NO_HIJACK,
            _START,
            _HOST,
            lines,
            "\r\n",
            _HIDDEN,
            more=1,
        )
        for name, lines in _UPGRADES.items()
    ),
    _wire(
        "start-body",
        "a start with a HostConfig, which engines before API 1.24 took",
        NO_BODY,
        _START,
        _HOST,
        _JSON,
        _END.replace("\r\n\r\n", "\r\n"),
        'Content-Length: 32\r\n\r\n{"Privileged":true,"Binds":null}',
    ),
    _wire(
        "get-hidden",
        "a list whose body is a removal, behind a length",
        NO_BODY,
        f"GET /v1.45/containers/json HTTP/1.1\r\n{_HOST}Content-Length: 120\r\n\r\n",
        _HIDDEN,
        more=1,
    ),
    _wire(
        "head-body",
        "a ping by HEAD with a removal behind it as its body",
        NO_BODY,
        f"HEAD /_ping HTTP/1.1\r\n{_HOST}Content-Length: 100\r\n\r\n",
        _HIDDEN,
        answers=DROPPED | ALLOWED,
        more=1,
    ),
    _wire(
        "continue-hidden",
        "Expect with a removal in place of a body",
        HEADERS,
        _CREATE,
        _HOST,
        _JSON,
        _LENGTH,
        "Expect: 100-continue\r\n\r\n",
        _HIDDEN,
        more=1,
    ),
)
