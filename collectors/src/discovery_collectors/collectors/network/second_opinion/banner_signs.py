"""What services say that speak first, or complain of a request in HTTP: a reviewed table of signs."""

import re
from typing import NamedTuple

_VERSION = rb"v?(?P<version>\d[\w.+~-]{0,30})"
_SSH = rb"(?:(?!SSH-|HTTP/)[^\r\n]{0,200}\r?\n){0,4}SSH-"
"""A server may send other lines before its version (RFC 4253, section 4.2), but none of HTTP."""


_UTF_16_MISMATCH = "Version mismatch, driver version".encode("utf-16-be")


class BannerSign(NamedTuple):
    """One sign. The pattern is matched at the beginning of what came; the first row that fits holds."""

    name: str
    """The protocol as nmap calls it."""
    product: str
    """Of a sign that several products have, what they have in common."""
    pattern: bytes
    """With a group `version` where the banner states it, and `product` where it states that."""
    ask: str = ""
    """The protocol question that reveals more; a row of `protocol_table`."""


_ROWS: tuple[BannerSign, ...] = (
    # Speak first.
    BannerSign("nats", "NATS server", rb'INFO \{[^\r\n]{0,2000}?"version":"' + _VERSION),
    BannerSign("nats", "NATS server", rb"INFO \{[^\r\n]{0,2000}?\"server_id\""),
    BannerSign("tarantool", "Tarantool", rb"Tarantool " + _VERSION + rb" \("),
    BannerSign("rsync", "rsync", rb"@RSYNCD: \d"),
    BannerSign("munin", "Munin", rb"# munin node at ", "munin"),
    BannerSign("mpd", "Music Player Daemon", rb"OK MPD " + _VERSION),
    BannerSign("svn", "Subversion", rb"\( success \( \d \d "),
    BannerSign("i2p-bob", "I2P BOB bridge", rb"BOB \d\d\.\d\d\.\d\d\nOK\n"),
    BannerSign("dask", "Dask distributed", rb"[\s\S]\0{7}[\x01-\x08]\0{7}[\s\S]{0,80}?\xabcompression"),
    BannerSign("nbd", "Network Block Device server", rb"NBDMAGIC"),
    # Length, version and checksum; then the first message between nodes, with two of their ids.
    BannerSign("galera", "Galera Cluster", rb"\x24\0\0\x02[\s\S]{4}[\0\x01]\x01\x10[\0-\x7f][\s\S]{32}$"),
    BannerSign("ceph", "Ceph", rb"ceph v(?:2\n|0\d\d)"),
    BannerSign("varnish-cli", "Varnish Cache CLI", rb"(?:107|200) \d{1,4} +\n"),
    BannerSign(
        "openwire",
        "Apache ActiveMQ",
        rb"[\s\S]{4}\x01ActiveMQ[\s\S]{0,400}?ProviderVersion[\s\S]{1,4}?" + _VERSION,
    ),
    BannerSign("openwire", "Apache ActiveMQ", rb"[\s\S]{4}\x01ActiveMQ"),
    BannerSign("jdbc", "HSQLDB JDBC", rb"HSQLDB JDBC Network Listener\.\n"),
    BannerSign("gpsd", "gpsd", rb'\{"class":"VERSION","release":"' + _VERSION),
    BannerSign(
        "mysql",
        "Sphinx Search",
        rb"[\s\S]{3}\0\x0a(?P<version>\d[\d.]{0,20})(?:-id\d\d)?-release \([0-9a-f]{7}\)",
    ),
    BannerSign("sphinx", "Sphinx Search", rb"\0\0\0\x01\0\x01[\s\S]{2,14}invalid command \(code="),
    BannerSign("mysqlx", "MySQL X Protocol", rb"\x05\0\0\0\x0b\x08\x05\x1a\0"),
    BannerSign("mysql", "ProxySQL", rb"[\s\S]{3}\0\x0a(?:\d[\w.]{0,20} \(ProxySQL\)|\d[\w.]{0,20}-ProxySQL)"),
    BannerSign("mysql", "MaxScale", rb"[\s\S]{3}\0\x0a\d[\w.+~-]{0,30}-maxscale"),
    BannerSign("mysql", "TiDB", rb"[\s\S]{3}\0\x0a\d[\w.]{0,20}-TiDB-" + _VERSION),
    BannerSign(
        "mysql",
        "Manticore Search",
        rb"[\s\S]{3}\0\x0a" + _VERSION + rb"(?: [0-9a-f@ ]{0,60})?\0[\s\S]{0,60}?manticore",
    ),
    BannerSign(
        "mysql", "MariaDB", rb"[\s\S]{3}\0\x0a(?:5\.5\.5-)?(?P<version>\d[\w.]{0,20}-MariaDB[\w.+~:-]{0,40})"
    ),
    BannerSign("mysql", "MySQL", rb"[\s\S]{3}\0\x0a" + _VERSION + rb"\0"),
    BannerSign("ssh", "OpenSSH", _SSH + rb"2\.0-OpenSSH_(?P<version>[\w.]{1,20})"),
    BannerSign("ssh", "Dropbear sshd", _SSH + rb"2\.0-dropbear(?:_(?P<version>[\w.]{1,20}))?"),
    BannerSign("ssh", "TinySSH", _SSH + rb"2\.0-tinyssh"),
    BannerSign("ssh", "Gerrit Code Review", _SSH + rb"2\.0-GerritCodeReview_(?P<version>[\w.-]{1,30})"),
    BannerSign("ssh", "Apache Mina sshd", _SSH + rb"2\.0-(?:APACHE-SSHD|SSHD-CORE)-" + _VERSION),
    BannerSign("ssh", "rclone", _SSH + rb"2\.0-rclone/(?:" + _VERSION + rb")?"),
    BannerSign("ssh", "tmate", _SSH + rb"2\.0-tmate\r?\n"),
    BannerSign("ssh", "libssh", _SSH + rb"2\.0-libssh[_-](?P<version>[\w.]{1,20})"),
    BannerSign("ssh", "", _SSH + rb"[12]\.\d{1,2}-"),
    BannerSign("gopher", "Gophernicus", rb"(?!HTTP/)[^\0]{0,2000}?\bGophered by Gophernicus/" + _VERSION),
    BannerSign("smtp", "Postfix smtpd", rb"220[ -][^\r\n]{1,200}? ESMTP Postfix"),
    # What a server with a greeting of the operator's own says to whoever speaks first, or speaks HTTP.
    BannerSign(
        "smtp",
        "Postfix smtpd",
        rb"(?:220[ -][^\r\n]{1,300}\r\n){0,4}(?:554 5\.5\.0 Error: SMTP protocol synchronization"
        rb"|221 2\.7\.0 Error: I can break rules, too\. Goodbye\.)\r\n",
    ),
    BannerSign("smtp", "Exim smtpd", rb"220[ -][^\r\n]{1,200}? ESMTP Exim " + _VERSION),
    BannerSign("smtp", "OpenSMTPD", rb"220[ -][^\r\n]{1,200}? ESMTP OpenSMTPD"),
    BannerSign("smtp", "Sendmail", rb"220[ -][^\r\n]{1,200}? ESMTP Sendmail " + _VERSION),
    BannerSign("smtp", "Dovecot", rb"220[ -]\S{1,200} Dovecot (?:\([^)\r\n]{1,60}\) )?ready\."),
    BannerSign("smtp", "aiosmtpd", rb"220[ -]\S{1,200} Python SMTP " + _VERSION),
    BannerSign("smtp", "amavisd-new smtpd", rb"220[ -]\S{1,200} ESMTP amavisd?(?:-new)? service ready"),
    BannerSign("lmtp", "GNU Mailman", rb"220[ -]\S{1,200} GNU Mailman LMTP runner "),
    BannerSign("smtp", "", rb"220[ -][^\r\n]{1,200}? (?:ESMTP|SMTP|LMTP)"),
    BannerSign("nntp", "Leafnode nntpd", rb"\d{3} Leafnode NNTP [Dd]aemon, version " + _VERSION),
    BannerSign("nntp", "Leafnode nntpd", rb"\d{3} Leafnode "),
    # While its host is busy, before it greets.
    BannerSign("nntp", "InterNetNews (INN)", rb"400 load at \d{1,4}\.\d\d, try later\r\n"),
    BannerSign("ftp", "Globus GridFTP server", rb"220[ -]\S{1,200} GridFTP Server " + _VERSION + rb" \("),
    BannerSign("ftp", "vsftpd", rb"220[ -]\(vsFTPd " + _VERSION),
    # To a request of HTTP, whatever the operator greets with.
    BannerSign(
        "ftp",
        "vsftpd",
        rb"(?:220[ -][^\r\n]{0,300}\r\n){1,8}500 HTTP protocol commands not allowed\.\r\n",
    ),
    BannerSign("ftp", "ProFTPD", rb"220[ -]ProFTPD(?: " + _VERSION + rb")?"),
    BannerSign("ftp", "Pure-FTPd", rb"220[ -][^\r\n]{0,40}Pure-FTPd"),
    BannerSign("ftp", "FileZilla ftpd", rb"220[ -]FileZilla Server(?: version)? " + _VERSION),
    BannerSign("imap", "Dovecot imapd", rb"\* OK [^\r\n]{0,600}?Dovecot"),
    BannerSign("imap", "Cyrus imapd", rb"\* OK [^\r\n]{0,600}?Cyrus IMAP " + _VERSION),
    BannerSign("imap", "", rb"\* OK [^\r\n]{0,600}?IMAP4"),
    BannerSign("pop3", "Dovecot pop3d", rb"\+OK [^\r\n]{0,200}?Dovecot"),
    BannerSign("pop3", "", rb"\+OK [^\r\n]{0,300}\r\n-ERR ", "pop3"),
    BannerSign(
        "sieve", "Cyrus timsieved", rb'"IMPLEMENTATION" "Cyrus timsieved v?(?P<version>\d[\w.+~-]{0,30})'
    ),
    BannerSign("sieve", "Dovecot Pigeonhole", rb'"IMPLEMENTATION" "Dovecot Pigeonhole'),
    # With `serverinfo: off` it hides its name, and goes on offering what it alone has.
    BannerSign(
        "sieve",
        "Cyrus timsieved",
        rb'"IMPLEMENTATION" "ManageSieve"\r\n(?:"(?!SIEVE")[^\r\n]{1,500}\r\n){0,6}'
        rb'"SIEVE" "[^"\r\n]{0,1000}?\bvnd\.cyrus\.',
    ),
    BannerSign("sieve", "", rb'"IMPLEMENTATION" "'),
    # Speakers of BGP (RFC 4271, section 4) say who they are to their peers, or why they refuse.
    BannerSign("bgp", "ExaBGP", rb"\xff{16}\0[\s\S]\x03\x06\x03no session configured for the peer$"),
    BannerSign("bgp", "", rb"\xff{16}\0[\x1d-\xff]\x01\x04|\xff{16}\0[\x15-\xff]\x03[\x01-\x08]"),
    # The protocol that it chose (RFC 8915, section 4), though it was asked in another.
    BannerSign("ntske", "NTPsec", rb"\x80\x01\0\x02\0\0[\0\x80]\x04\0\x02\0[\x0f-\x11]"),
    # Its first message offers what it can do: an error that is none, from nobody.
    BannerSign("pcp", "Performance Co-Pilot pmcd", rb"\0\0\0\x14\0\0\x70\0\0{4}\0{4}"),
    BannerSign("pb", "Twisted Perspective Broker", rb"\x02\x80\x02\x82pb\x04\x82none"),
    BannerSign("telnet", "OpenOCD", rb"(?:\xff[\xfb-\xfe][\x00-\x30]){1,8}Open On-Chip Debugger\r\n"),
    BannerSign("qemu-monitor", "QEMU monitor", rb"QEMU " + _VERSION + rb" monitor - type 'help'"),
    # A build by a distribution names its package; upstream's own states no text, but three numbers.
    BannerSign(
        "qmp",
        "QEMU QMP",
        rb'\{"QMP": \{"version": \{"qemu": \{[^{}\r\n]{1,80}\}, '
        rb'"package": "(?:(?:[A-Za-z]\w{0,20} )?(?:\d{1,2}:)?' + _VERSION + rb")?",
    ),
    # Its one page, to whoever names no host that it knows, or one that does not answer.
    BannerSign(
        "http",
        "SNIProxy",
        rb"HTTP/1\.1 503 Service Temporarily Unavailable\r\nContent-Type: text/html\r\n"
        rb"Connection: close\r\n\r\nBackend not available$",
    ),
    BannerSign("icecc-control", "Icecream scheduler", rb"200-ICECC (?P<version>\d[\w.]{0,20}): \d"),
    BannerSign("rserve", "Rserve", rb"Rsrv\d{4}QAP1\r\n"),
    # An announcement: two versions of protocol and game, the server's type and its players.
    BannerSign(
        "pokerth",
        "PokerTH",
        rb"\0\0\0[\x14-\x20]\x08\x01\x12[\x10-\x1c]\x0a\x04\x08[\s\S]\x10[\s\S]\x12\x04\x08[\s\S]\x10[\s\S]\x18",
    ),
    BannerSign(
        "telnet",
        "BSD-derived telnetd",
        rb"(?:\xff[\xfb-\xfe][\x00-\x30]){0,4}?\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27",
    ),
    # In gensio's order, with the option for serial ports (RFC 2217).
    BannerSign(
        "telnet",
        "ser2net",
        rb"\xff\xfb\x03\xff\xfd\x03\xff\xfb\x01\xff\xfe\x01\xff\xfd\0\xff\xfb\0\xff\xfd\x2c",
    ),
    BannerSign("telnet", "", rb"\xff[\xfb-\xfe][\x00-\x30]\xff[\xfb-\xfe]"),
    BannerSign("vnc", "VNC", rb"RFB \d{3}\.\d{3}\n", "vnc"),
    BannerSign(
        "pgbackrest", "pgBackRest", rb'\{"name":"pgBackRest","service":"\w{1,20}","version":"' + _VERSION
    ),
    # Osmocom's programs (libosmocore, "VTY").
    BannerSign("osmo-vty", "Osmocom", rb"Welcome to the (?P<product>Osmo\w{2,20}) VTY interface\r\n"),
    BannerSign("unison", "Unison", rb"Unison " + _VERSION + rb" with OCaml"),
    BannerSign("zebra", "", rb"Vty password is not set\.\r\n"),
    BannerSign("frr-vty", "FRRouting", rb"\r?\n?Hello, this is FRRouting \(version " + _VERSION),
    # The version of the protocol, and a key of 32 bytes.
    BannerSign(
        "yggdrasil",
        "Yggdrasil",
        rb"meta\0[\s\S]\0\0\0\x02\0[\s\S]\0\x01\0\x02\0[\s\S]\0\x02\0\x20",
    ),
    # Complain of what is not theirs.
    BannerSign(
        "yggdrasil-admin",
        "",
        rb'\{\s{0,8}"status": ?"error",\s{0,8}"error": ?"[^"\r\n]{0,80}",\s{0,8}"request": ?\{',
        "yggdrasil-admin",
    ),
    BannerSign(
        "ecflow",
        "ecFlow",
        rb' {0,10}\d{1,9}\{\n"\d{1,3}ServerToClientResponse"[\s\S]{0,500}?Server:[^\s"]{1,100} \(' + _VERSION,
    ),
    # The first bytes are taken for a client's version.
    BannerSign("qperf", "qperf", rb"upgrade qperf on (?:server|client) from " + _VERSION + rb" to \d"),
    BannerSign("pen-control", "Pen load balancer", rb"do_cmd: ignoring command starting with 'GET'\n"),
    BannerSign("ser2net-admin", "ser2net", rb"-> GET / HTTP/1\.[01]\r?\nerror: Unknown command - GET\r\n"),
    # What several programs may say: only the protocol's own question decides.
    BannerSign("", "", rb"220[ -][^\r\n]{0,300}\r\n", "ftp"),
    BannerSign("", "", rb"bad handshake\n$", "wormhole-transit"),
    BannerSign("", "", rb"HTTP/1\.1 400 Invalid Request\r\n\r\n$", "goaccess"),
    BannerSign("", "", rb"0 serverclose 0\n$", "relp"),
    # Of a database that it cannot reach, in the form for clients of PostgreSQL's protocol 2.
    BannerSign("postgresql", "pgagroal", rb"Econnection refused\0\0$"),
    # Version 502 of its protocol, and the type of a refusal.
    BannerSign("pyro", "Pyro", rb"PYRO\x01[\xf6-\xff]\x03"),
    BannerSign("redis", "", rb"-(?:ERR|NOAUTH|DENIED|LOADING|NOPERM|MISCONF)\b", "redis"),
    BannerSign("memcached", "", rb"(?:ERROR\r\n){1,4}$", "version"),
    BannerSign("memcached", "Memcached", rb"(?:CLIENT_ERROR unauthenticated\r\n){1,4}$"),
    BannerSign("beanstalk", "Beanstalk", rb"(?:UNKNOWN_COMMAND|BAD_FORMAT)\r\n", "beanstalk"),
    BannerSign("gearman", "", rb"ERR unknown_command ", "version"),
    BannerSign("nut", "Network UPS Tools upsd", rb"ERR UNKNOWN-COMMAND\n", "nut"),
    BannerSign("csync", "csync2", rb"Expecting SSL \(optional\) and CONFIG as first commands\.\n"),
    BannerSign("lcdproc", "LCDproc", rb"huh\? Invalid command \""),
    BannerSign("boinc", "BOINC client httpd", rb"HTTP/1\.0 403 Access denied\n\nAccess denied\n$"),
    BannerSign("conman", "ConMan", rb"ERROR CODE=\d{1,3} MESSAGE='Invalid greeting"),
    BannerSign(
        "icap",
        "C-ICAP",
        rb"ICAP/1\.0 \d{3} [^\r\n]{0,80}\r\n(?:[^\r\n]{1,200}\r\n){0,4}?Server: C-ICAP/" + _VERSION,
    ),
    BannerSign("icap", "", rb"ICAP/1\.0 \d{3} "),
    BannerSign(
        "rtpengine-cli", "Sipwise rtpengine", rb"Unknown or incomplete command::GET / HTTP/1\.[01]\r?\n"
    ),
    BannerSign("rrdcached", "RRDtool rrdcached", rb"-1 Unknown command: GET\n"),
    BannerSign("h2", "H2 Database", rb"\0{7}\x05(?:\0\d){5}\0\0\0[\s\S]" + _UTF_16_MISMATCH),
    BannerSign("hamlib", "Hamlib", rb"(?:RPRT -\d{1,3}\n|set_\w{1,30}: )"),
    BannerSign("cvspserver", "CVS pserver", rb"cvs \[(?:pserver|server) aborted\]: bad auth protocol start"),
    BannerSign("elasticsearch", "Elasticsearch binary API", rb"This is not an? HTTP port"),
    BannerSign(
        "hadoop-ipc",
        "Apache Hadoop IPC",
        rb"HTTP/1\.1 404 Not Found\r\nContent-type: text/plain\r\n\r\n"
        rb"It looks like you are making an HTTP request to a Hadoop",
    ),
    BannerSign(
        "mongodb",
        "",
        rb"HTTP/1\.[01] 200 OK\r\n[\s\S]{0,200}?It looks like you are trying to access MongoDB over HTTP",
        "mongodb",
    ),
    BannerSign(
        "clickhouse",
        "ClickHouse",
        rb"HTTP/1\.0 400 Bad Request\r\n\r\nPort \d{1,5} is for clickhouse-client program",
    ),
    BannerSign("amqp", "", rb"AMQP[\0-\x03][\0\x01][\0\x01\x09][\0\x01\x0a]$", "amqp"),
    BannerSign(
        "irc", "ngircd", rb"ERROR :Closing connection: [^\r\n]{1,200}HTTP request received\? This is IRC"
    ),
    BannerSign("irc", "ngircd", rb":\S{1,100} NOTICE [^\r\n]{0,300}ngircd"),
    BannerSign("irc", "BitlBee IRCd", rb":\S{1,100} NOTICE \S{1,40} :BitlBee-IRCd initialized"),
    BannerSign("irc", "", rb"ERROR :Closing [Ll]ink", "irc"),
    # Whoever has no name yet is `*`; servers of mail and files begin with 421 and 451 as well.
    BannerSign("irc", "", rb"(?::\S{1,100} )?(?:NOTICE (?:AUTH|\*) |4(?:21 \* \S{1,40}|51 \*) :)", "irc"),
    BannerSign("irc", "", rb":\S{1,100} 4(?:21 \S{1,40} \S{1,40}|51 \S{1,40}) :", "irc"),
    BannerSign("bzr", "Bazaar smart server", rb"error\x01Generic bzr smart protocol error: bad request "),
    BannerSign("xmpp", "", rb"<\?xml version='1\.0'\?><stream:", "xmpp"),
    # A setting of its own, whether it takes metadata in binary, among the first of what stems from its core.
    BannerSign(
        "grpc",
        "gRPC",
        rb"\0\0[\s\S]\x04\0{5}(?:\0[\x01-\x09][\s\S]{4}){0,8}\xfe\x03\0\0\0[\0\x01]",
    ),
    BannerSign("http2", "", rb"\0\0[\s\S]\x04\0\0\0\0\0"),
)

SIGNS = tuple((sign, re.compile(sign.pattern)) for sign in _ROWS)


def recognise(content: bytes) -> tuple[BannerSign, str] | None:
    """Return the sign that fits what a service sent, and the version in it."""
    for sign, pattern in SIGNS:
        fits = pattern.match(content)
        if fits is not None:
            stated = {
                name: (text or b"").decode("ascii", "replace") for name, text in fits.groupdict().items()
            }
            return sign._replace(product=stated.get("product") or sign.product), stated.get("version", "")
    return None
