"""The grammar of a request's head: one canonical form; everything else is refused.

Narrower than RFC 9112 on purpose: what two parsers could take for two different requests is not accepted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from docker_guard.refusal import Refusal, shown

MAX_BYTES = 16 * 1024
MAX_HEADERS = 64

_REQUEST_LINE = re.compile(rb"(GET|HEAD|POST|DELETE) (/[A-Za-z0-9_./:-]*)(?:\?([!-~]+))? HTTP/1\.1")
_PATH = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9_.:-]*)+")
_HEADER = re.compile(rb"([A-Za-z0-9-]{1,64}):([ -~\t]*)")
_PARAMETER = re.compile(r"([A-Za-z][A-Za-z_-]{0,39})=((?:[A-Za-z0-9._~!$'()*,:@/?\[\]+-]|%[0-9A-Fa-f]{2})*)")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,8}")
_HOST = re.compile(r"[A-Za-z0-9._:%\[\]-]*")
_TRACE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_JSON_TYPE = re.compile(r"application/json(?:; ?charset=utf-8)?", re.IGNORECASE)
_REFUSED_HEADERS = frozenset(
    {
        "transfer-encoding",  # a length that a second parser may see differently
        "content-encoding",
        "expect",
        "http2-settings",
        "trailer",
        "te",
        "origin",  # no browser has business here
    }
)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its body. `path` has no query; `query` is decoded once.

    `trace` are the ids of a trace and a span there, which the client says the request belongs to.
    `takes_over`: what follows an answer 101 on this connection are bytes without form.
    """

    method: str
    path: str
    query: Mapping[str, str]
    length: int
    is_json: bool
    keep_alive: bool
    takes_over: bool
    trace: tuple[str, str] | None


def parse_head(raw: bytes) -> RequestHead:
    """Parse a head, its empty line included. Raises Refusal (400) for every form but the canonical one."""
    first, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise _refusal("request line", first)
    headers = _headers(lines)
    connection = headers.get("connection", "keep-alive").lower()
    if connection not in ("keep-alive", "close", "upgrade"):
        raise _refusal("header Connection", connection)
    takes_over = connection == "upgrade"
    if headers.get("upgrade", "") != ("tcp" if takes_over else ""):
        raise _refusal("header Upgrade", headers.get("upgrade", ""))
    length = headers.get("content-length", "0")
    if not _LENGTH.fullmatch(length):
        raise _refusal("header Content-Length", length)
    return RequestHead(
        method=line[1].decode(),
        path=parse_path(line[2].decode()),
        query=parse_query(line[3].decode()) if line[3] else {},
        length=int(length),
        is_json=_JSON_TYPE.fullmatch(headers.get("content-type", "")) is not None,
        keep_alive=connection == "keep-alive",
        takes_over=takes_over,
        trace=_trace(headers.get("traceparent", "")),
    )


def _trace(text: str) -> tuple[str, str] | None:
    """Read a header of W3C Trace Context. It decides nothing: any other form counts as none, as there."""
    found = _TRACE.fullmatch(text)
    return None if found is None else (found[1], found[2])


def parse_path(text: str) -> str:
    """Return the path if every segment is plain: not empty, no dot first, nothing encoded."""
    if not _PATH.fullmatch(text):
        raise _refusal("path", text)
    return text


def parse_query(text: str) -> dict[str, str]:
    """Decode `key=value&…` once. Keys are plain and unique, values are UTF-8 without control characters."""
    found: dict[str, str] = {}
    for pair in text.split("&"):
        parameter = _PARAMETER.fullmatch(pair)
        if parameter is None or parameter[1] in found:
            raise _refusal("query parameter", pair)
        try:
            value = unquote_to_bytes(parameter[2].replace("+", " ")).decode("utf-8")
        except UnicodeDecodeError:
            raise _refusal("query parameter", pair) from None
        if any(character < " " or character == "\x7f" for character in value):
            raise _refusal("query parameter", pair)
        found[parameter[1]] = value
    return found


def _headers(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > MAX_HEADERS:
        raise Refusal("framing", f"more than {MAX_HEADERS} headers", 400)
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        name = header[1].decode().lower() if header else ""
        if header is None or name in headers or name in _REFUSED_HEADERS:
            # Never its value, which may be a credential.
            raise _refusal("header", line.partition(b":")[0])
        headers[name] = header[2].strip(b" \t").decode()
    if not _HOST.fullmatch(headers.get("host", " ")):
        raise Refusal("framing", "exactly one Host header is needed", 400)
    return headers


def _refusal(what: str, found: bytes | str) -> Refusal:
    text = found.decode("latin-1") if isinstance(found, bytes) else found
    # A query or header may hold a secret: only its beginning is quoted.
    return Refusal("framing", f"{what} is not in canonical form: {shown(text, 60)}", 400)
