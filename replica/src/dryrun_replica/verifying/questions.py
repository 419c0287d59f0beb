"""What a service shows without a login: its certificate, page, naming contexts, shares, system group."""

import html
import re
from collections.abc import Collection

from dryrun_replica.verifying.container import Container

type Shown = dict[tuple[str, str], dict[str, str]]
"""Attributes by kind and key."""

_MOST_BYTES = 65536
GET = r"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"
_PATH = re.compile(r"(?:/[A-Za-z0-9._-]+)*")
"""Nothing in it means anything to a shell or to printf."""
MOST_SECONDS = 10.0
"""How long an answer, or a handshake, is waited for."""
# cat passes on at once what it has read; head alone loses it where a server keeps the connection.
_PLAIN = (
    "exec 3<> /dev/tcp/127.0.0.1/{port} && printf '{text}' >&3 && timeout {seconds} cat <&3 | head -c {most}"
)
# With -quiet it goes on to read after the end of its input, until the server ends.
_TLS = (
    "printf '{text}' | timeout {seconds} openssl s_client -quiet -connect 127.0.0.1:{port} 2> /dev/null"
    " | head -c {most}"
)
_CERTIFICATE = (
    "timeout {seconds} openssl s_client -connect 127.0.0.1:{port} < /dev/null 2> /dev/null"
    " | openssl x509 -noout -subject -issuer -enddate -nameopt RFC2253 -dateopt iso_8601 2> /dev/null"
)
_SHARES = "smbclient -gN -p {port} -L //127.0.0.1 2> /dev/null"
_CONTEXTS = (
    "LDAPTLS_REQCERT=never ldapsearch -x -LLL -o ldif-wrap=no -o nettimeout=5"
    " -H {scheme}://127.0.0.1:{port} -s base -b '' namingContexts 2> /dev/null"
)
_SYSTEM = "snmpget -v2c -c public -t 2 -Oqv 127.0.0.1:{port} 1.3.6.1.2.1.1.{number}.0"
_GROUP = {"name": 5, "description": 1, "location": 6}
_SHARE_TYPES = {"Disk": "disk", "IPC": "ipc", "Printer": "printer"}


async def answer(container: Container, port: int, *, tls: bool, text: str = "") -> str:
    """Return what a port says, after `text` was sent to it."""
    script = (_TLS if tls else _PLAIN).format(port=port, text=text, most=_MOST_BYTES, seconds=MOST_SECONDS)
    return await container.ask("bash", "-c", script)


async def certificate(container: Container, port: int, seconds: float) -> dict[str, str] | None:
    """Return names and end of the certificate on a port; None where there is no TLS.

    A handshake is given so many seconds: most of what knows no TLS says nothing to one and keeps the
    connection.
    """
    shown = await container.ask("bash", "-c", _CERTIFICATE.format(port=port, seconds=seconds))
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if "notAfter" not in values:
        return None
    ends = values["notAfter"].replace(" ", "T")
    return {"subject": values["subject"], "issuer": values["issuer"], "not_after": ends}


async def shown(
    container: Container, expected: Collection[tuple[str, str]], port: int, key: str, *, tls: bool
) -> Shown:
    """Return facts of the expected kinds behind a port; of pages, the first one and those expected."""
    found: Shown = {}
    wanted = {kind for kind, _ in expected}
    pages = {key, *(place for kind, place in expected if kind == "web_app")} if "web_app" in wanted else ()
    for place in pages:
        path = place.removeprefix(key)
        if not _PATH.fullmatch(path):
            continue
        page = await answer(container, port, tls=tls, text=GET.replace("/", path or "/", 1))
        if page.startswith("HTTP/") and not (path and re.match(r"\S+ 404\b", page)):
            found["web_app", place] = _page(page)
    if "directory" in wanted:
        scheme = "ldaps" if tls else "ldap"
        listed = await container.ask("bash", "-c", _CONTEXTS.format(port=port, scheme=scheme))
        for context in re.findall(r"(?m)^namingContexts: (.+)$", listed):
            found["directory", f"{key}/{context.lower()}"] = {"vendor": "OpenLDAP"}
    if "share" in wanted:
        listed = await container.ask("bash", "-c", _SHARES.format(port=port))
        for kind, name in re.findall(r"(?m)^(Disk|IPC|Printer)\|([^|]+)\|", listed):
            found["share", f"{key}/{name}"] = {"type": _SHARE_TYPES[kind]}
    if "snmp_system" in wanted:
        system = {}
        for name, number in _GROUP.items():
            value = await container.ask("bash", "-c", _SYSTEM.format(port=port, number=number))
            system[name] = value.strip().strip('"')
        found["snmp_system", key] = system
    return found


def _page(answer: str) -> dict[str, str]:
    found = re.search(r"<title[^>]*>(.*?)</title>", answer, re.DOTALL | re.IGNORECASE)
    title = " ".join(html.unescape(found[1]).split()) if found else ""
    return {"title": title} if title else {}
