"""Prepares nmap's data files for one run: shorter waits, more ports, corrected matches, fewer requests."""

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from discovery_collectors.collectors.network.spared_ports import SPARED

PROBES = "nmap-service-probes"
SERVICES = "nmap-services"
DATA_FOLDERS = (Path("/usr/share/nmap"), Path("/usr/local/share/nmap"))
"""Where packages and source builds put nmap's data."""

_FREQUENT = b"0.990000"
"""nmap leaves ports out whose frequency is exactly 1 (measured)."""
_BANNER = re.compile(rb"^totalwaitms 6000$", re.MULTILINE)
_PROBE = re.compile(rb"Probe TCP (\S+) .*")
"""At the beginning of a line. Without an anchor Python looks for the word first, eight times as fast."""
_WAIT = re.compile(rb"^totalwaitms (\d+)", re.MULTILINE)
_RARITY = re.compile(rb"^rarity \d", re.MULTILINE)
_PROTECTED_REDIS = (
    rb"match redis m|^-NOAUTH Authentication required\.\r\n| p/Redis key-value store/ cpe:/a:redislabs:redis/"
)
"""Without it a Redis behind a password costs two more probes of 5 s each (measured, nmap 7.95)."""
_MARIADB = (
    rb"match mysql m|^.\0\0\0\x0a((\d+\.[\d.]+)-MariaDB[-_~.+:\w]*)[ \0]|s p/MariaDB/ v/$1/"
    rb" cpe:/a:mariadb:mariadb:$2/"
)
"""Distributions append words to MariaDB's version (`… from Debian`), at which nmap 7.95 gives up."""
_BLOCKED_BY_MARIADB = (
    rb"match mysql m|^.\0\0\0\xff..Host .* is blocked because of many connection errors;"
    rb" unblock with 'mariadb-admin |s p/MariaDB/ i/blocked - too many connection errors/"
    rb" cpe:/a:mariadb:mariadb/"
)
"""nmap 7.95 takes the same words, whatever the command that they name, for MySQL's."""
_DASK = rb"match dask m|^.\0{7}[\x01-\x08]\0{7}.*\xabcompression.*\xafpickle-protocol|s p/Dask distributed/"
"""Its scheduler and workers greet with what they can do (distributed, `comm/core.py`). They take the next
eight bytes for a length, and reserve as much: some of nmap's other probes cost them gigabytes (measured)."""
_NSCA = rb"match nagios-nsca m|^.{128}"
_RANDOM_NSCA = rb"match nagios-nsca m|^(?![\t\r\n -~]{8}).{128}"
"""NSCA begins with 128 random bytes and the time. nmap 7.95 takes any answer of that length for it: a web
server's refusal, for instance."""
_ANY_IRC = re.compile(
    rb"^match (irc m\|\(\^:\[-\.\\w\]\+\) 421 \\\* OPTIONS :Unknown command\\r\\n\|) p.*$", re.MULTILINE
)
"""Numeric 421 (RFC 1459, section 6.1) and its usual text, which nmap takes for one server's."""
_ANY_RDP = re.compile(
    rb"^match (ms-wbt-server m\|\^\\x03\\0\\0\\x0b\\x06\\xd0\\0\\0\\x12\.\\0\$\|s) p.*$", re.MULTILINE
)
"""X.224's bare confirmation, which nmap takes for Windows': xrdp sends the same, and more a moment later."""
_ANY_VTY = re.compile(rb"^match (\S+ m\|\^Vty password is not set\\\.\\r\\n\$\|) p.*$", re.MULTILINE)
"""What every descendant of Zebra says, FRRouting too; nmap takes it for Quagga's."""
_ANY_SERF = re.compile(rb"^match (consul m\|\^\\x82\\xa5Error[^|\n]{1,60}\|) p.*$", re.MULTILINE)
"""How Serf wants a handshake, and Consul did until 0.8, which took this from it; nmap names Consul alone."""
_ANY_SMTP = re.compile(rb"^match (smtp m\|\^220 \(\[-\\w_\.\]\+\) ESMTP \\w\+\\r\\n\$\|) p.*$", re.MULTILINE)
"""A greeting of any server's, heard late; nmap takes it for Postfix's, and called Exim so on a busy host."""
_BARE_DNS = re.compile(
    rb"^match domain m\|\^\(\?:[^)|]{0,8}\)\?\\0\\x06\\x8[\w\\]{2,8}\\0\\x01(?:\\0){6}"
    rb"\\x07version\\x04bind\\0\\0\\x10\\0\\x03\|s? p/.*$",
    re.MULTILINE,
)
"""Matches by the flags of an answer that only repeats the question, which any server may set that refuses it:
Hickory's refusal is taken for NSD's, and Knot Resolver's for Unbound's."""
_OR_EARLIER = re.compile(rb"^((?:soft)?match .*?) v/[^/\n]{1,40} or earlier/", re.MULTILINE)
"""Up to which version a product answers so: as far as nmap knew when the line was written. MariaDB 11.8
refuses a host as 10.3.23 did (measured)."""
_ANY_GO = b" i/Go-IPFS json-rpc or InfluxDB API/"
"""How nmap explains a refusal that every program in Go may send: DNS and ACME servers, exporters."""
_EXCLUDED = re.compile(rb"^Exclude T:(?=9100-9107$)", re.MULTILINE)
_SPARED = b"".join(b"%d-%d," % (each.start, each.stop - 1) for each in SPARED)
_AMQP = rb"match amqp m|^AMQP[\0-\x03][\0\x01][\0\x01\x09][\0\x01\x0a]$|s"
"""A broker answers whatever it does not understand with the header that it expects. Without this nmap
tries all its probes, for 13 s (measured with RabbitMQ 4.0); its own script for AMQP needs intensity 7."""
_REASON = (
    rb"(?:OK|Bad Request|Unauthorized|Forbidden|Not Found|Method Not (?:Allowed|Implemented)|"
    rb"Internal Server Error|Not Implemented|Service Unavailable)"
)
_EVERYBODYS = (
    rb"\\r\\n(?:Date|Content-Length|Content-Type|Connection|Last-Modified|ETag|Accept-Ranges): ?"
    rb"(?:\.\*(?: GMT)?|\\d\+|\d{1,3}|close|keep-alive|bytes|text/(?:html|plain)(?:; ?charset=[\w-]+)?)?"
)
_END = rb"(?:(?:\\r\\n){1,2}(?: ?(?:\d{3} )?" + _REASON + rb")?(?:\\n)?)?\$?"
_BARE = re.compile(
    rb"^match [\w-]+ (m\|\^HTTP/1(?:\\\.|\.)(?:[01]|\[01\]) \d{3} "
    + _REASON
    + rb"(?:"
    + _EVERYBODYS
    + rb"){0,6}"
    + _END
    + rb"\|s?) p.*$",
    re.MULTILINE | re.IGNORECASE,
)
"""Matches by a status, its usual reason and headers that every server may send: a refusal of gevent is
taken for `Ajenti http control panel`, CrowdSec's for a music server, others for televisions and PLCs."""


class _Correction(NamedTuple):
    """Lines of nmap's that are written otherwise."""

    lines: re.Pattern[bytes]
    fragment: bytes
    """What every line that matches holds. Python finds it in the file's 2.5 MB in a tenth of the time."""
    replacement: bytes

    def correct(self, text: bytes) -> bytes:
        """Return `lines.sub(replacement, text)`, looked for only in the lines that hold the fragment."""
        parts = []
        done, at = 0, text.find(self.fragment)
        while at >= 0:
            begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
            end = len(text) if end < 0 else end
            parts += [text[done:begin], self.lines.sub(self.replacement, text[begin:end])]
            done, at = end, text.find(self.fragment, end)
        return b"".join([*parts, text[done:]])


_OF_ALL_PROBES = (
    # These belong to UDP probes, whose matches nmap uses for TCP as well.
    _Correction(_BARE_DNS, rb"\x07version\x04bind\0\0\x10\0\x03|", b""),
    _Correction(_OR_EARLIER, b" or earlier/", rb"\1"),
)
_OF_TCP_PROBES = (
    _Correction(_ANY_RDP, rb"m|^\x03\0\0\x0b\x06\xd0\0\0\x12.\0$|s", rb"softmatch \1"),
    _Correction(_ANY_VTY, rb"m|^Vty password is not set\.\r\n$|", rb"softmatch \1"),
    _Correction(_ANY_SERF, rb"match consul m|^\x82\xa5Error", rb"softmatch \1"),
    _Correction(_ANY_SMTP, rb" ESMTP \w+\r\n$|", rb"softmatch \1"),
    _Correction(_BARE, b" m|^HTTP/1", rb"softmatch http \1"),
    _Correction(_ANY_IRC, rb" 421 \* OPTIONS :Unknown command\r\n|", rb"softmatch \1"),
)
_SCRIPTS = 'Entry { filename = "http-server-header.nse", categories = { "version", } }\n'
"""Version detection would run 47 scripts, some of which ask every web server for paths such as `/sdk` and
`/HNAP1`. This one reads the Server header, which names the product where the probes cannot."""


_SELDOM = (b"HTTPOptions", b"RPCCheck", b"DNSVersionBindReqTCP", b"Help", b"X11Probe")
"""Probes that `hurry` leaves to the ports they are meant for: at a silent service each takes a whole wait."""
_SLOWLY_ANSWERED = (b"GetRequest", b"Help", b"Hello", b"Verifier")
"""Probes whose answer may take time to compute: a page, a look-up of the client's name, a device's next
report. Whoever understands any other probe answers it at once, so that those wait a third as long: at
intensity 7 a service that understands nothing is asked 32 times. A late greeting is heard at the next probe,
whose matches include the banner's."""
_PACKETS_PER_QUESTION = 4
"""Two open the connection, one asks, one acknowledges the answer; all wait in the relay for their turn."""


@contextmanager
def nmap_environment(
    more_ports: Collection[int],
    *,
    banner_wait_ms: int,
    answer_wait_ms: int,
    hurry: bool = False,
    packets_per_second: int | None = None,
) -> Iterator[dict[str, str]]:
    """Yield the environment in which nmap uses the prepared data; the files vanish afterwards.

    `more_ports`: TCP ports that --top-ports has to hold beside nmap's own.
    `banner_wait_ms`: how long to wait for a service to speak first; `answer_wait_ms`: for an answer to any
    other probe, of which most wait a third as long, and for their turn at `packets_per_second`. nmap's own
    are 6000 and 5000. `hurry`: some probes are left to the ports they are meant for. Where nmap's data is not
    found the environment is empty, and nmap uses its own.
    """
    source = _folder_with(PROBES)
    if source is None:
        yield {}
        return
    folder = Path(tempfile.mkdtemp(prefix="discovery-nmap-"))
    try:
        probes = (source / PROBES).read_bytes()
        turn_ms = 0 if packets_per_second is None else _PACKETS_PER_QUESTION * 1000 // packets_per_second
        amended = amend_probes(probes, banner_wait_ms, answer_wait_ms, turn_ms=turn_ms, hurry=hurry)
        (folder / PROBES).write_bytes(amended)
        (folder / SERVICES).write_bytes(amend_services((source / SERVICES).read_bytes(), more_ports))
        (folder / "scripts").mkdir()
        (folder / "scripts" / "script.db").write_text(_SCRIPTS, encoding="ascii")
        yield {"NMAPDIR": str(folder)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder_with(name: str) -> Path | None:
    """Return the folder of nmap's data that holds a file; None where nmap's data is not found."""
    return next((folder for folder in DATA_FOLDERS if (folder / name).is_file()), None)


def most_common_ports(count: int) -> frozenset[int]:
    """Return the TCP ports that nmap's --top-ports COUNT would take; none where its data is not found."""
    source = _folder_with(SERVICES)
    if source is None:
        return frozenset()
    frequencies = []
    for line in (source / SERVICES).read_bytes().splitlines():
        fields = line.split(b"\t")
        if len(fields) > 2 and fields[1].endswith(b"/tcp"):
            frequencies.append((-float(fields[2]), int(fields[1].removesuffix(b"/tcp"))))
    return frozenset(port for _, port in sorted(frequencies)[:count])


@cache
def port_names() -> Mapping[int, str]:
    """Return TCP port → protocol by nmap's table; empty where its data is not found."""
    source = _folder_with(SERVICES)
    if source is None:
        return {}
    names = {}
    for line in (source / SERVICES).read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, rest = line.partition("\t")
        number, slash, protocol = rest.partition("\t")[0].partition("/")
        if slash and protocol == "tcp":
            names[int(number)] = name
    return names


def amend_probes(
    probes: bytes, banner_wait_ms: int, answer_wait_ms: int, *, turn_ms: int = 0, hurry: bool = False
) -> bytes:
    """Return nmap's probes file with waits set, and matches added, corrected and left out.

    `turn_ms`: how long a question may wait until its packets have their turn.

    The format is documented in nmap's reference, "nmap-service-probes File Format": a probe's directives
    follow it until the next `Probe` line.
    """
    probes = _EXCLUDED.sub(b"Exclude T:" + _SPARED, probes, count=1)
    probes = probes.replace(_ANY_GO, b"")
    for each in _OF_ALL_PROBES:
        probes = each.correct(probes)
    starts = [each for each in _PROBE.finditer(probes) if not each.start() or probes[each.start() - 1] == 10]
    parts = [probes[: starts[0].start()] if starts else probes]
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        body = probes[start.end() : len(probes) if following is None else following.start()]
        # A UDP probe may follow in the same stretch; its own lines stay as they are.
        own, separator, rest = body.partition(b"\nProbe UDP")
        if start[1] == b"NULL":
            own = (
                b"\n"
                + _MARIADB
                + b"\n"
                + _BLOCKED_BY_MARIADB
                + b"\n"
                + _DASK
                + _BANNER.sub(b"totalwaitms %d" % banner_wait_ms, own, count=1)
            )
            own = own.replace(_NSCA, _RANDOM_NSCA)
        else:
            brief_ms = min(answer_wait_ms, answer_wait_ms // 3 + turn_ms)
            wait_ms = answer_wait_ms if start[1] in _SLOWLY_ANSWERED else brief_ms
            wait = b"totalwaitms %d" % wait_ms
            own = _WAIT.sub(wait, own, count=1) if _WAIT.search(own) else b"\n" + wait + own
        if hurry and start[1] in _SELDOM:
            own = _RARITY.sub(b"rarity 9", own, count=1)
        if start[1] == b"GetRequest":
            own = b"\n" + _AMQP + own
        for each in _OF_TCP_PROBES:
            own = each.correct(own)
        if start[1] == b"redis-server":
            own = b"\n" + _PROTECTED_REDIS + own
        parts += [start[0], own, separator, rest]
    return b"".join(parts)


def amend_services(services: bytes, more_ports: Collection[int]) -> bytes:
    """Return nmap's services file with `more_ports` as frequent as can be, so that --top-ports holds them.

    A line is `name TAB port/protocol TAB frequency`, the frequency between 0 and 1.
    """
    wanted = {b"%d/tcp" % port for port in more_ports}
    lines = []
    for line in services.splitlines():
        fields = line.split(b"\t")
        if len(fields) > 2 and fields[1] in wanted:
            wanted.discard(fields[1])
            fields[2] = _FREQUENT
        lines.append(b"\t".join(fields))
    lines += [b"unknown\t%s\t%s" % (place, _FREQUENT) for place in sorted(wanted)]
    return b"\n".join(lines) + b"\n"
