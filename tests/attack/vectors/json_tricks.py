"""Bodies that two JSON decoders read differently: Go's, which the engine uses, and anybody else's."""

import json
from typing import Final

from vectors.row import HARMLESS, Vector, container, text_host, text_top

CLASS: Final = "JSON"
CASE: Final = "keys in one case: Go matches keys without regard to case"
TWICE: Final = "no duplicate keys: Go takes the last"
ONE_VALUE: Final = "one JSON value in UTF-8, nothing before or after it"
BOUNDED: Final = "bounded sizes"
STRICT: Final = "strict types"
CONTENT_TYPE: Final = "one media type"

_WHOLE = json.dumps(container())


def _host(name: str, what: str, rule: str, fragment: str, *, alone: bool = True) -> Vector:
    return Vector(f"json-{name}", what, rule, body=text_host(fragment), alone=alone)


def _body(name: str, what: str, rule: str, body: str | bytes, *, alone: bool = False) -> Vector:
    return Vector(f"json-{name}", what, rule, body=body, alone=alone)


VECTORS: Final = (
    _host("lower-case", "privileged", CASE, '"privileged":true'),
    _host("upper-case", "PRIVILEGED after Privileged", CASE, '"PRIVILEGED":true'),
    _host("mixed-case", "bInDs", CASE, '"bInDs":["/:/host"]'),
    _host("long-s", "Bind\u017f, whose \u017f Go folds to s", CASE, '"Bind\u017f":["/:/host"]'),
    _host("long-s-escaped", "Bind\\u017f, escaped", CASE, '"Bind\\u017f":["/:/host"]'),
    _host("long-s-mounts", "Mount\u017f", CASE, '"Mount\u017f":[{"Type":"bind","Source":"/","Target":"/h"}]'),
    _host("kelvin", "Networ\u212aMode, whose \u212a Go folds to k", CASE, '"Networ\u212aMode":"bridge"'),
    _host("kelvin-escaped", "Lin\\u212as, both tricks", CASE, '"Lin\\u212a\\u017f":["@VICTIM_NAME@:x"]'),
    _host("escaped-key", "Privileged, written in escapes", TWICE, '"\\u0050rivileged":true'),
    _host("twice", "Privileged false, then true", TWICE, '"Privileged":true'),
    _host("twice-null", "CapDrop, then CapDrop null", TWICE, '"CapDrop":null'),
    _body(
        "twice-host",
        "HostConfig twice: Go merges both",
        TWICE,
        text_top('"HostConfig":{"Privileged":true}'),
        alone=True,
    ),
    _body(
        "twice-host-case",
        "hostconfig beside HostConfig",
        CASE,
        text_top('"hostconfig":{"Binds":["/:/h"]}'),
        alone=True,
    ),
    _body(
        "twice-host-long-s",
        "Ho\u017ftConfig beside HostConfig",
        CASE,
        text_top('"Ho\u017ftConfig":{"Binds":["/:/h"]}'),
        alone=True,
    ),
    _body(
        "twice-first",
        "Privileged true first, false after: for those who keep the first",
        TWICE,
        text_host('"Privileged":true', first=True),
        alone=True,
    ),
    _body("twice-image", "Image twice", TWICE, text_top('"Image":"@OUTSIDE_ID@"'), alone=True),
    _body("twice-image-case", "image beside Image", CASE, text_top('"image":"@OUTSIDE_ID@"'), alone=True),
    _body(
        "twice-label",
        "a label twice",
        TWICE,
        _WHOLE.replace('"Labels": {', '"Labels": {"discovery.dryrun.session_id":"@OTHER_SESSION@",'),
        alone=True,
    ),
    _body("twice-labels-case", "labels beside Labels", CASE, text_top('"labels":{"x":"y"}'), alone=True),
    _body(
        "trailing-value",
        "a second value behind the first",
        ONE_VALUE,
        _WHOLE + '{"HostConfig":{"Privileged":true}}',
    ),
    _body("trailing-word", "words behind the value", ONE_VALUE, _WHOLE + "x"),
    _body("trailing-nul", "a NUL behind the value", ONE_VALUE, _WHOLE + "\0"),
    _body("bom", "a byte order mark before it", ONE_VALUE, "\ufeff" + _WHOLE),
    _body("utf-16", "UTF-16", ONE_VALUE, _WHOLE.encode("utf-16")),
    _body("utf-32", "UTF-32 without a mark", ONE_VALUE, _WHOLE.encode("utf-32-le")),
    _body(
        "bad-utf-8",
        "bytes that are no UTF-8, in a value",
        ONE_VALUE,
        _WHOLE.encode().replace(b"GREETING=hello", b"GREETING=\xff\xfe"),
        alone=True,
    ),
    _body(
        "overlong-utf-8",
        "an overlong form of a letter in a key",
        ONE_VALUE,
        text_host('"Privileged":false').encode().replace(b'"Privileged":false', b'"\xc1\x90rivileged":true'),
        alone=True,
    ),
    _body(
        "lone-surrogate",
        "half of a surrogate pair in a value",
        ONE_VALUE,
        _WHOLE.replace("GREETING=hello", "GREETING=\\ud800"),
        alone=True,
    ),
    _body("comment", "a comment inside", ONE_VALUE, _WHOLE.replace("{", "{/* x */", 1)),
    _body("comma", "a comma before the end", ONE_VALUE, _WHOLE[:-1] + ",}"),
    _body("single-quotes", "single quotes", ONE_VALUE, _WHOLE.replace('"', "'")),
    _body("nan", "NaN for a number", STRICT, _WHOLE.replace("536870912", "NaN")),
    _body("infinity", "Infinity for a number", STRICT, _WHOLE.replace("536870912", "Infinity")),
    _body(
        "minus-zero",
        "-0 for a number",
        STRICT,
        _WHOLE.replace('"PidsLimit": 100', '"PidsLimit": -0'),
        alone=True,
    ),
    _body(
        "number-exponent", "1e2 for a number", STRICT, _WHOLE.replace('"PidsLimit": 100', '"PidsLimit": 1e2')
    ),
    _body(
        "number-huge",
        "a number of a hundred thousand digits",
        BOUNDED,
        _WHOLE.replace('"PidsLimit": 100', '"PidsLimit": 1' + "0" * 100_000),
    ),
    _body(
        "underscored", "1_00 for a number", STRICT, _WHOLE.replace('"PidsLimit": 100', '"PidsLimit": 1_00')
    ),
    _body("list", "a list of bodies", STRICT, f"[{_WHOLE}]"),
    _body("text", "a text that holds a body", STRICT, json.dumps(_WHOLE)),
    _body("null", "null", STRICT, "null"),
    _body("nothing", "an empty body", STRICT, ""),
    _body(
        "deep",
        "a hundred thousand lists in each other",
        BOUNDED,
        text_top('"X":' + "[" * 100_000 + "]" * 100_000),
    ),
    _body("deep-known", "a known field nested 500 deep", BOUNDED, text_top('"Env":' + "[" * 500 + "]" * 500)),
    _body("ten-megabytes", "10 MiB of white space", BOUNDED, " " * (10 * 2**20) + _WHOLE, alone=True),
    _body(
        "quadratic-string",
        "a million escaped quotes in a string without an end: each may begin another",
        BOUNDED,
        '{"Image":"' + '\\"' * 500_000,
    ),
    _body(
        "quadratic-backslash",
        "the same, and a backslash for the last byte",
        BOUNDED,
        '{"Image":"' + '\\"' * 500_000 + "\\",
    ),
    _body("quadratic-quotes", "a million quotes", BOUNDED, '"' * 1_000_001),
    _body("quadratic-digits", "a million digits", BOUNDED, '{"Image":' + "9" * 1_000_000 + "}"),
    _body("quadratic-space", "a million blanks before a fault", BOUNDED, "{" + " " * 1_000_000 + "x}"),
    _body(
        "many-keys",
        "200,000 keys",
        BOUNDED,
        text_top(",".join(f'"k{n}":0' for n in range(200_000))),
        alone=True,
    ),
    _body("nul-key", "a key with a NUL", CASE, text_host('"Privileged\\u0000":true'), alone=True),
    _body("empty-key", "an empty key", CASE, text_host('"":true'), alone=True),
    Vector(
        "json-media-type",
        "a body that says it is something else",
        CONTENT_TYPE,
        headers=(("Content-Type", "text/plain"),),
        body=container(),
        alone=True,
    ),
    Vector(
        "json-charset",
        "a body that says it is in another character set",
        CONTENT_TYPE,
        headers=(("Content-Type", "application/json; charset=utf-16"),),
        body=container(),
        answers=HARMLESS,
        alone=True,
    ),
    Vector(
        "json-form",
        "a form in place of JSON",
        CONTENT_TYPE,
        headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        body="Image=@IMAGE@&HostConfig[Privileged]=true",
    ),
    Vector(
        "json-gzip",
        "a body said to be compressed",
        CONTENT_TYPE,
        headers=(("Content-Encoding", "gzip"),),
        body=container(),
        alone=True,
    ),
)
