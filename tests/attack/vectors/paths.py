"""Spellings of a path that a proxy and the engine's router may read differently."""

from typing import Final

from vectors.row import DROPPED, EVIL, REFUSED, Vector

CLASS: Final = "Paths and versions"
CANONICAL: Final = "one canonical path: plain ASCII, no empty or dotted segment, nothing encoded"
VERSION: Final = "API versions the guard was tested with"
RELAY: Final = "origin-form targets only"


def _get(name: str, what: str, path: str, rule: str = CANONICAL) -> Vector:
    return Vector(f"path-{name}", what, rule, method="GET", path=path)


def _evil(name: str, what: str, path: str, rule: str = CANONICAL) -> Vector:
    return Vector(f"path-{name}", what, rule, path=path, body=EVIL)


VECTORS: Final = (
    _evil("double-slash", "// before a known route", "//v1.45/containers/create"),
    _evil("double-slash-inside", "// inside", "/v1.45//containers/create"),
    _evil("double-slash-end", "// before the last segment", "/v1.45/containers//create"),
    _evil("dot", "/./", "/v1.45/./containers/create"),
    _evil("trailing-slash", "a slash behind", "/v1.45/containers/create/"),
    _evil("trailing-dot", "/. behind", "/v1.45/containers/create/."),
    _evil("backslash", "backslashes", "/v1.45\\containers\\create"),
    _evil("upper-case", "a route in upper case", "/v1.45/CONTAINERS/CREATE"),
    _evil("encoded-letter", "%63ontainers", "/v1.45/%63ontainers/create"),
    _evil("encoded-slash", "%2f", "/v1.45/containers%2fcreate"),
    _evil("semicolon", "a parameter behind ;", "/v1.45/containers/create;x=y"),
    _evil("encoded-question", "%3f in place of ?", "/v1.45/containers/create%3fname=x"),
    _evil("double-question", "two question marks", "/v1.45/containers/create??name=x"),
    _evil("fragment", "a fragment", "/v1.45/containers/create#x"),
    _evil("version-1.24", "an old version with other rules", "/v1.24/containers/create", VERSION),
    _evil(
        "version-1.23",
        "a version that takes a body with start",
        "/v1.23/containers/@TARGET_ID@/start",
        VERSION,
    ),
    _evil("version-999", "a version to come", "/v1.999/containers/create", VERSION),
    _evil("version-0", "version 0", "/v0/containers/create", VERSION),
    _evil("version-long", "version 1.45.0", "/v1.45.0/containers/create", VERSION),
    _evil("version-zero", "version 1.045", "/v1.045/containers/create", VERSION),
    _evil("version-upper", "V1.45", "/V1.45/containers/create", VERSION),
    _evil("version-twice", "two versions", "/v1.45/v1.45/containers/create", VERSION),
    _evil("version-empty", "version v", "/v/containers/create", VERSION),
    _evil(
        "version-digits", "digits that are no ASCII, encoded", "/v1.%D9%A4%D9%A5/containers/create", VERSION
    ),
    _evil("version-huge", "a version of 5,000 digits", "/v1." + "4" * 5000 + "/containers/create", VERSION),
    _get("dotdot", "/../ to a forbidden route", "/v1.45/containers/../images/json"),
    _get("dotdot-version", "/v1.45/../", "/v1.45/../images/json"),
    _get("dotdot-encoded", "%2e%2e", "/v1.45/containers/%2e%2e/images/json"),
    _get("dotdot-encoded-slash", "..%2f", "/v1.45/containers/..%2f..%2fimages/json"),
    _get("dotdot-double-encoded", "%252e%252e", "/v1.45/containers/%252e%252e/images/json"),
    _get(
        "dotdot-known",
        "a known route that ends in a victim",
        "/v1.45/containers/@TARGET_ID@/../@VICTIM_ID@/json",
    ),
    _get("dotdot-overlong", "dots in overlong UTF-8", "/v1.45/containers/%c0%ae%c0%ae/images/json"),
    _get("id-encoded", "a victim's id with one digit encoded", "/v1.45/containers/@VICTIM_ENCODED@/json"),
    _get(
        "id-slash-encoded",
        "a victim's name with its slash, encoded",
        "/v1.45/containers/%2f@VICTIM_NAME@/json",
    ),
    _get("id-slash", "a victim's name with its slash", "/v1.45/containers//@VICTIM_NAME@/json"),
    _get("id-space", "a victim's id and a space, encoded", "/v1.45/containers/@VICTIM_ID@%20/json"),
    _get("id-nul", "own id, NUL, a victim's", "/v1.45/containers/@TARGET_ID@%00@VICTIM_ID@/json"),
    _get(
        "id-newline", "own id and a second request, encoded", "/v1.45/containers/@TARGET_ID@%0d%0aGET%20/json"
    ),
    _get("id-query", "a victim's id and an encoded query", "/v1.45/containers/@VICTIM_ID@%3fsize=1/json"),
    _get("id-long", "an id of 60,000 digits", "/v1.45/containers/" + "a" * 60_000 + "/json"),
    _get("id-empty", "no id", "/v1.45/containers//json"),
    _get("id-dots", "an id of dots", "/v1.45/containers/.../json"),
    _get("id-non-ascii", "an id in letters that look alike, encoded", "/v1.45/containers/%D0%B0bc/json"),
    _get("id-plus", "a name with +", "/v1.45/containers/@VICTIM_NAME@+/json"),
    _get("id-star", "a pattern", "/v1.45/containers/*/json"),
    _get("matrix", "a victim's id behind ;", "/v1.45/containers/@TARGET_ID@;@VICTIM_ID@/json"),
    _get("ping-suffix", "a suffix to ping", "/_ping/../images/json"),
    _get("ping-more", "ping and more", "/_pingx"),
    _get("root", "/", "/"),
    _get("percent", "a lone %", "/v1.45/containers/%/json"),
    Vector(
        "path-absolute",
        "absolute-form: a whole URL for a target",
        RELAY,
        wire="POST http://docker/v1.45/containers/create HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: @EVIL_LENGTH@\r\n\r\n@EVIL@",
        answers=DROPPED,
    ),
    Vector(
        "path-absolute-elsewhere",
        "absolute-form to another server",
        RELAY,
        wire="GET http://127.0.0.1:1/images/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "path-absolute-authority",
        "absolute-form with a user",
        RELAY,
        wire="GET http://x@docker/v1.45/images/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "path-authority",
        "CONNECT",
        RELAY,
        wire="CONNECT 127.0.0.1:2375 HTTP/1.1\r\nHost: 127.0.0.1:2375\r\n\r\n",
        answers=DROPPED,
        seconds=2,
    ),
    Vector(
        "path-asterisk",
        "OPTIONS *",
        RELAY,
        wire="OPTIONS * HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "path-no-slash",
        "a target without its slash",
        RELAY,
        wire="GET v1.45/images/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "path-raw-non-ascii",
        "bytes above 127 in a target",
        CANONICAL,
        wire=b"GET /v1.45/containers/\xff\xfe/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "path-raw-nul",
        "a NUL in a target",
        CANONICAL,
        wire="GET /v1.45/containers/@VICTIM_ID@\0/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "path-raw-tab",
        "a tab in a target",
        CANONICAL,
        wire="GET /v1.45/containers/@VICTIM_ID@\t/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "path-raw-space",
        "a space in a target",
        CANONICAL,
        wire="GET /v1.45/images/json HTTP/1.1 HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        answers=DROPPED,
    ),
    Vector(
        "path-method-case",
        "a method in lower case",
        "routes are a table: what is not in it is refused",
        method="post",
        body=EVIL,
        answers=DROPPED,
    ),
    Vector(
        "path-method-unknown",
        "a method of one's own",
        "routes are a table: what is not in it is refused",
        method="BREW",
        body=EVIL,
        answers=DROPPED,
    ),
    Vector(
        "path-method-override",
        "another method by header",
        "headers are not forwarded",
        method="GET",
        path="/v1.45/containers/create",
        headers=(("X-HTTP-Method-Override", "POST"),),
        answers=REFUSED,
    ),
)
