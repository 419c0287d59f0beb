"""Requests a page by HTTP/1.1, and reads those parts of the answer that may name a product."""

import re
from dataclasses import dataclass
from typing import Self

from discovery_collectors.running.scope import ScopedAddress

_STATUS = re.compile(rb"(?:HTTP/1\.[01]|ICY|RTSP/1\.0|SIP/2\.0) ([1-5][0-9]{2})[ \r\n]")
_PROTOCOLS = {b"RTSP": "rtsp", b"SIP/": "sip"}
"""First bytes of answers that only look like HTTP → their protocol."""
_HEAD_BYTES = 16 * 1024
_HEADERS = 60
_VALUE_CHARACTERS = 300
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,6})[^\r\n]{0,100}\r\n")
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,300})", re.IGNORECASE)
_META = re.compile(r"<meta\s[^>]{0,500}>", re.IGNORECASE)
_GENERATOR = re.compile(r"name=[\"']?(?:generator|application-name)\b", re.IGNORECASE)
_CONTENT = re.compile(r"content=[\"']([^\"'>]{0,200})", re.IGNORECASE)
_PATH = re.compile(r"/[!-~]{0,200}")
_PLACE = re.compile(r"https?://([^/?#]{1,300})(/[!-~]{0,200})?", re.IGNORECASE)
_AGENT = "discovery-collect (inventory; only reads)"


def request(address: ScopedAddress, path: str) -> bytes:
    """Return a GET of `path`, which leaves no connection open behind it.

    `Host` states no port: a proxy that asks whomever it names, as e2guardian does, would ask itself, and that
    again, until it has no place for clients (measured, 5.5: for a minute).
    """
    return (
        f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: {_AGENT}\r\n"
        "Accept: text/html, application/json, text/plain;q=0.8, */*;q=0.1\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def is_whole(content: bytes) -> bool:
    """Return whether the answer has all the bytes it announces."""
    end = content.find(b"\r\n\r\n", 0, _HEAD_BYTES)
    if end < 0 or not _STATUS.match(content):
        return False
    head = content[: end + 2]
    if _CHUNKED.search(head):
        return content.endswith(b"\r\n0\r\n\r\n")
    length = _LENGTH.search(head)
    return length is not None and len(content) - end - 4 >= int(length[1])


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer's parts as text; what is not UTF-8 is replaced."""

    status: int
    headers: dict[str, str]
    """By name in lower case; of several with one name the first."""
    body: str
    title: str
    generator: str
    """The page's meta tag `generator`, or `application-name`."""
    protocol: str = "http"
    """The status line's: those of RTSP and SIP have the same form."""

    @classmethod
    def read(cls, content: bytes) -> Self | None:
        """Return the answer in `content`; None when it is not HTTP, or what looks like it."""
        status = _STATUS.match(content)
        if status is None:
            return None
        # PulseAudio's lines end with a line feed alone (RFC 9112, section 2.2).
        end = b"\r\n" if b"\r" in content.partition(b"\n\n")[0] else b"\n"
        head, _, body = content.partition(end * 2)
        if len(head) > _HEAD_BYTES:
            head, body = head[:_HEAD_BYTES], b""
        headers: dict[str, str] = {}
        for line in head.split(end)[1 : _HEADERS + 1]:
            name, colon, value = line.decode("utf-8", "replace").partition(":")
            if colon:
                headers.setdefault(name.strip().lower(), value.strip()[:_VALUE_CHARACTERS])
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = _without_sizes(body)
        text = body.decode("utf-8", "replace")
        title = _TITLE.search(text)
        return cls(
            status=int(status[1]),
            headers=headers,
            body=text,
            title=" ".join(title[1].split()) if title else "",
            generator=_generator(text),
            protocol=_PROTOCOLS.get(content[:4], "http"),
        )

    @property
    def is_markup(self) -> bool:
        """Whether the body is a page of HTML or XML, which may quote what others say of themselves."""
        return self.body.lstrip("\ufeff \t\r\n").startswith("<")

    def part(self, where: str) -> str:
        """Return the part of the answer that `HttpSign.where` names."""
        if where == "body":
            return self.body
        if where == "json":
            return self.body if self.body.lstrip("\ufeff \t\r\n").startswith(("{", "[")) else ""
        if where == "text":
            return "" if self.is_markup else self.body
        if where == "title":
            return self.title
        return self.generator if where == "generator" else self.headers.get(where, "")

    def redirect(self, address: ScopedAddress, port: int) -> str:
        """Return the path on this port that the answer leads to; empty when it leads nowhere or elsewhere."""
        target = self.headers.get("location", "") if 300 <= self.status < 400 else ""
        place = _PLACE.match(target)
        if place is not None:
            if place[1] not in {f"{address}:{port}", address}:
                return ""
            target = place[2] or "/"
        elif target and not target.startswith("/"):
            target = f"/{target.removeprefix('./')}"
        path = target.partition("#")[0]
        return path if _PATH.fullmatch(path) and not path.startswith("//") else ""


def _without_sizes(body: bytes) -> bytes:
    """Return a chunked body's content, as much of it as is well formed."""
    content, place = b"", 0
    while size := _CHUNK_SIZE.match(body, place):
        start = size.end()
        place = start + int(size[1], 16) + 2
        content += body[start : place - 2]
        if place >= len(body) or start == place - 2:
            break
    return content or body


def _generator(text: str) -> str:
    for number, meta in enumerate(_META.finditer(text)):
        content = _CONTENT.search(meta[0])
        if content is not None and _GENERATOR.search(meta[0]):
            return " ".join(content[1].split())
        if number == 30:
            break
    return ""
