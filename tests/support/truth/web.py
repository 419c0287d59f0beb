"""Sites, login pages and certificates, fetched from inside a container without any HTTP library."""

import html
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from target_container import TargetContainer
from truth.facts import Facts, key
from truth.sockets import Listener

_SERVERS = ("apache2", "haproxy", "nginx", "node", "gunicorn", "liar.py", "hostile.py", "credential-recorder")
"""What may speak HTTP; the others are not asked, some do not survive it."""
_MOST_BYTES = 100_000
_PLAIN = "exec 3<> /dev/tcp/127.0.0.1/{port} && printf '{request}' >&3 && timeout 20 head -c {most} <&3"
_TLS = (
    "printf '{request}' | timeout 20 openssl s_client -quiet -ign_eof -connect 127.0.0.1:{port} 2> /dev/null"
    " | head -c {most}"
)
_TLS_BY_PYTHON = (
    'python3 -c "import socket, ssl; c = ssl._create_unverified_context().wrap_socket('
    "socket.create_connection(('127.0.0.1', {port}), 20)); c.sendall(b'{request}'); f = c.makefile('rb');"
    ' import sys; sys.stdout.buffer.write(f.read({most}))"'
)
# The blank lines make whoever waits for the end of a line answer at once; a TLS record has come by then.
_HELLO = (
    "exec 3<> /dev/tcp/127.0.0.1/{port} && printf '{hello}\\r\\n\\r\\n' >&3 "
    "&& timeout {seconds} head -c 1 <&3 | od -An -tx1"
)
_CERTIFICATE = "timeout 20 openssl s_client -connect 127.0.0.1:{port} < /dev/null 2> /dev/null | openssl x509"
_CERTIFICATE_BY_PYTHON = (
    'python3 -c "import socket, ssl; c = ssl._create_unverified_context().wrap_socket('
    "socket.create_connection(('127.0.0.1', {port}), 20)); "
    'print(ssl.DER_cert_to_PEM_cert(c.getpeercert(True)))"'
)
_LIKELY_PATHS = ("/login", "/admin/", "/robots.txt")


@dataclass(frozen=True, slots=True)
class Page:
    path: str
    status: int
    headers: dict[str, str]
    body: str

    @property
    def title(self) -> str | None:
        found = re.search(r"<title[^>]*>(.*?)</title>", self.body, re.DOTALL | re.IGNORECASE)
        return " ".join(html.unescape(found[1]).split()) if found else None

    @property
    def asks_for_a_password(self) -> bool:
        return re.search(r"<input[^>]+type=[\"']?password", self.body, re.IGNORECASE) is not None


class Site:
    """A port of a container that may be a web site."""

    def __init__(self, target: TargetContainer, listener: Listener, *, tls: bool) -> None:
        self._target = target
        self._port = listener.port
        self._tls = tls

    def get(self, path: str) -> Page | None:
        """Return what is answered, or None for what is no HTTP."""
        request = f"GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n"
        command = _PLAIN
        if self._tls:
            command = _TLS if _has(self._target, "openssl") else _TLS_BY_PYTHON
        script = command.format(port=self._port, request=request, most=_MOST_BYTES)
        answer = self._target.execute_bytes("bash", "-c", script).decode(errors="replace")
        head, _, body = answer.partition("\r\n\r\n")
        status, *lines = head.split("\r\n")
        found = re.match(r"HTTP/1\.[01] (\d{3})", status)
        if found is None:
            return None
        pairs = (line.partition(":") for line in lines)
        return Page(path, int(found[1]), {name.lower(): value.strip() for name, _, value in pairs}, body)

    def first_page(self, seconds: float = 15) -> Page | None:
        """Return the front page, once a proxy has found the servers behind it."""
        deadline = time.monotonic() + seconds
        while True:
            page = self.get("/")
            if page is None or page.status != 503 or time.monotonic() > deadline:
                return page
            time.sleep(0.2)

    def login_pages(self, first: Page) -> Iterator[Page]:
        """Follow links, redirects and what robots are kept from, one step, to forms that want a password."""
        robots = self.get("/robots.txt")
        kept = re.findall(r"(?m)^(?:Disallow|Allow): *(\S+)", robots.body) if robots else []
        links = re.findall(r"<a [^>]*href=[\"']([^\"']*)", first.body)
        seen = set()
        for path in [*_LIKELY_PATHS, *kept, *links]:
            page = self._followed(urlsplit(urljoin("/", path)).path or "/")
            if page is not None and page.path not in seen and page.status == 200 and page.asks_for_a_password:
                seen.add(page.path)
                yield page

    def _followed(self, path: str) -> Page | None:
        page = self.get(path)
        for _ in range(3):
            if page is None or page.status not in {301, 302, 303, 307, 308}:
                return page
            page = self.get(urlsplit(urljoin(path, page.headers["location"])).path)
        return page


def facts(target: TargetContainer, listener: Listener) -> Facts:
    """Return the site on this port, its login pages and its certificate."""
    found: Facts = {}
    may_be_site = any(name in f"{listener.program} {listener.command}" for name in _SERVERS)
    tls = _speaks_tls(target, listener, seconds=20 if may_be_site else 2)
    if tls:
        found["certificate", listener.key] = _certificate(target, listener)
    if not may_be_site:
        return found
    site = Site(target, listener, tls=tls)
    first = site.first_page()
    if first is None:
        return found
    found["web_app", listener.key] = _attributes(target, listener, first)
    for page in site.login_pages(first) if "hostile" not in listener.command else ():
        names = [name for name in page.path.split("/") if name]
        if names:
            found["web_app", key(listener.key, *names)] = _attributes(target, listener, page)
    return found


def _attributes(target: TargetContainer, listener: Listener, page: Page) -> dict[str, str]:
    server = page.headers.get("server")
    seen: dict[str, str | None] = {"title": page.title, "server": server and re.split("[ /]", server)[0]}
    if listener.program == "node":
        seen["framework"] = page.headers.get("x-powered-by")
    if "gunicorn" in listener.command:
        ask = "import django; print('Django', django.__version__)"
        seen["framework"], seen["version"] = target.execute("python3", "-c", ask).split()
    return {name: value for name, value in seen.items() if value is not None}


def _speaks_tls(target: TargetContainer, listener: Listener, *, seconds: int) -> bool:
    """Send a greeting of TLS 1.2 and see whether a TLS record comes back in time, be it a refusal.

    Many a server that speaks something else waits for the end of a line that never comes.
    """
    if listener.transport != "tcp" or "/srv/fragile/" in listener.command:
        return False
    ciphers = bytes.fromhex("c02bc02fc02cc030009c009d002f0035")
    # Curves and signatures that it knows: without them some servers hang up instead of refusing.
    extensions = bytes.fromhex("000a000600040017001d" + "000d000a00080403040108040503")
    body = b"\x03\x03" + bytes(32) + b"\0" + len(ciphers).to_bytes(2) + ciphers + b"\x01\0"
    body += len(extensions).to_bytes(2) + extensions
    handshake = b"\x01" + len(body).to_bytes(3) + body
    hello = b"\x16\x03\x01" + len(handshake).to_bytes(2) + handshake
    script = _HELLO.format(
        port=listener.port, seconds=seconds, hello="".join(f"\\x{byte:02x}" for byte in hello)
    )
    return target.execute("bash", "-c", script, check=False).split()[:1] in (["15"], ["16"])


def _certificate(target: TargetContainer, listener: Listener) -> dict[str, str]:
    command = _CERTIFICATE if _has(target, "openssl") else _CERTIFICATE_BY_PYTHON
    pem = target.execute("bash", "-c", command.format(port=listener.port))
    return certificate_names(pem)


def certificate_names(pem: str) -> dict[str, str]:
    """Read a certificate by the machine's own openssl."""
    command = ["openssl", "x509", "-noout", "-subject", "-issuer", "-enddate"]
    done = subprocess.run(
        [*command, "-nameopt", "RFC2253", "-dateopt", "iso_8601"],
        input=pem,
        capture_output=True,
        text=True,
        check=True,
    )
    values = dict(line.split("=", 1) for line in done.stdout.splitlines())
    return {
        "subject": values["subject"],
        "issuer": values["issuer"],
        "not_after": values["notAfter"].replace(" ", "T"),
    }


def _has(target: TargetContainer, program: str) -> bool:
    return target.execute("bash", "-c", f"command -v {program} || true").strip() != ""
