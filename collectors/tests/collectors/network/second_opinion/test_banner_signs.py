"""What services say first, or complain of: real greetings of Debian's packages, and what resembles them."""

import pytest

from discovery_collectors.collectors.network.second_opinion import banner_signs, protocol_questions

TELNET = b"\xff\xfb\3\xff\xfb\1\xff\xfd\3\xff\xfe\1"
UNAVAILABLE = (
    b"HTTP/1.1 503 Service Temporarily Unavailable\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
)
SER2NET = b"\xff\xfb\3\xff\xfd\3\xff\xfb\1\xff\xfe\1\xff\xfd\0\xff\xfb\0\xff\xfd\x2cconsole of rack 4\r\n"
QMP = b'{"QMP": {"version": {"qemu": {"micro": 13, "minor": 0, "major": 10}, "package": "'
DASK = b":" + bytes(7) + b"\1" + bytes(7) + b"*" + bytes(7) + b"\x83\xabcompression\xc0\xa6python"
POKERTH = b"\0\0\0\x16\x08\1\x12\x12\n\4\x08\5\x10\1\x12\4\x08\1\x10\x0b\x18\0 \1(\0"
GALERA = bytes.fromhex("24000002d87e4bcc00011000") + bytes(range(32))
REFUSED = b"\xff" * 16 + b"\0\x37\3\6\3"
GRIDFTP = b"220 data GridFTP Server 13.25 (gcc64, 1705708928-0) [Grid Community Toolkit 6.2] ready.\r\n"
SIEVE = b'"IMPLEMENTATION" "ManageSieve"\r\n"VERSION" "1.0"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto '


@pytest.mark.parametrize(
    ("banner", "product", "version"),
    [
        (b'{"class":"VERSION","release":"3.25","rev":"3.25"}\r\n', "gpsd", "3.25"),
        (b"K\0\0\0\x0a2.2.11-id64-release (95ae9a6)\0\1\0\0\0", "Sphinx Search", "2.2.11"),
        (b"\0\0\0\1\0\1\0\0\0\0\0\x30\0\0\0,invalid command (code=12064", "Sphinx Search", ""),
        (b"RPRT -1\nset_channel: TP/1.0/RPRT -2\n", "Hamlib", ""),
        (b'huh? Invalid command "GET"\n', "LCDproc", ""),
        (
            UNAVAILABLE + b"Backend not available",
            "SNIProxy",
            "",
        ),
        (b"200-ICECC 1.4.0: 4s uptime, 0 hosts, 0 jobs in queue (0 total).\n", "Icecream scheduler", "1.4.0"),
        (b"-1 Unknown command: GET\n-1 Unknown command: \n", "RRDtool rrdcached", ""),
        (
            b"\0\0\0\0\0\0\0\5"
            + "90047".encode("utf-16-be")
            + b"\0\0\0\x4b"
            + 'Version mismatch, driver version is "11957"'.encode("utf-16-be"),
            "H2 Database",
            "",
        ),
        (b"HSQLDB JDBC Network Listener.\nUse JDBC driver with", "HSQLDB JDBC", ""),
        (b"Tarantool 2.6.0 (Binary) 1f8a\n", "Tarantool", "2.6.0"),
        (b":localhost NOTICE * :BitlBee-IRCd initialized, please go on\r\n", "BitlBee IRCd", ""),
        (b"SSH-2.0-OpenSSH_10.0p2 Debian-7\r\n", "OpenSSH", "10.0p2"),
        (b"server: info: a connection {main.c:173}\nSSH-2.0-tinyssh 1A5a392Q\r\n", "TinySSH", ""),
        (b"to whom it may concern:\r\n" * 4 + b"SSH-2.0-Go\r\n", "", ""),
        (b"i[/]\tTITLE\tnull.host\t1\r\ni Gophered by Gophernicus/3.1.1 on\r\n", "Gophernicus", "3.1.1"),
        (
            b"Welcome to the OsmoHLR VTY interface\r\n\r\nCopyright (C) 2016-2023 by Harald Welte\r\n",
            "OsmoHLR",
            "",
        ),
        (b"Unison 2.51 with OCaml >= 4.01.2\n\1\0\0\0o\x18\0\0\0\xe9rsp", "Unison", "2.51"),
        (b"do_cmd: ignoring command starting with 'GET'\n", "Pen load balancer", ""),
        (SER2NET, "ser2net", ""),
        (SER2NET.replace(b"\xff\xfd\x2c", b"\xff\xfd\3"), "", ""),
        (b"-> GET / HTTP/1.0\r\nerror: Unknown command - GET\r\n-> \r\n-> ", "ser2net", ""),
        (REFUSED + b"no session configured for the peer", "ExaBGP", ""),
        (REFUSED + b"", "", ""),
        (b"\xff" * 16 + b"\0\x35\1\4\xfc\1\0\xf0\n\0\0\2", "", ""),
        (b"SSH-2.0-tmate\r\n", "tmate", ""),
        (b"upgrade qperf on server from 0.4.11 to 17735.8276.8239", "qperf", "0.4.11"),
        (GRIDFTP, "Globus GridFTP server", "13.25"),
        (b"Econnection refused\0\0", "pgagroal", ""),
        (b"PYRO\x01\xf6\3\2\0\0\0\0\0\0\0\x0e", "Pyro", ""),
        (b"400 load at 21.69, try later\r\n", "InterNetNews (INN)", ""),
        (DASK, "Dask distributed", ""),
        (bytes.fromhex("80010002 0000 8004 0002 000f 0005 0068") + bytes(104), "NTPsec", ""),
        (bytes.fromhex("80010002 0000 0004 0002 000f 0005 0068") + bytes(104), "NTPsec", ""),
        (b"BOB 00.00.10\nOK\nERROR Unknown command\n", "I2P BOB bridge", ""),
        (b"Vty password is not set.\r\n", "", ""),
        (b"200 Leafnode NNTP daemon, version 1.12.0 at news\r\n", "Leafnode nntpd", "1.12.0"),
        (b"220 b24 Python SMTP 1.4.6\r\n", "aiosmtpd", "1.4.6"),
        (
            b'"IMPLEMENTATION" "Cyrus timsieved 3.10.2-Debian"\r\n"VERSION" "1.0"\r\n',
            "Cyrus timsieved",
            "3.10.2-Debian",
        ),
        (b'"IMPLEMENTATION" "Dovecot Pigeonhole"\r\n', "Dovecot Pigeonhole", ""),
        (b'"IMPLEMENTATION" "Sieve of mine"\r\n', "", ""),
        (bytes.fromhex("00000014 00007000 00000000 00000000 02010e44"), "Performance Co-Pilot pmcd", ""),
        (
            b"error\x01Generic bzr smart protocol error: bad request 'GET / HTTP/1.0\r'\n",
            "Bazaar smart server",
            "",
        ),
        (b"\2\x80\2\x82pb\4\x82none", "Twisted Perspective Broker", ""),
        (b":bnc.example 421 * GET :Unknown command\r\n", "", ""),
        (b":irc.example 421 you GET :Unknown command\r\n", "", ""),
        (b":irc.example 451 GET :You have not registered\r\n", "", ""),
        (b"451 * :You have not registered\r\n", "", ""),
        (
            b"\r\nHello, this is FRRouting (version 10.3).\r\nCopyright 1996-2005 Kunihiro Ishiguro\r\n",
            "FRRouting",
            "10.3",
        ),
        (b'{"name":"pgBackRest","service":"remote","version":"2.55.1"}\n', "pgBackRest", "2.55.1"),
        (b"ERROR CODE=2 MESSAGE='Invalid greeting: no user specified'\n", "ConMan", ""),
        (b"HTTP/1.0 403 Access denied\n\nAccess denied\n", "BOINC client httpd", ""),
        (
            b"ICAP/1.0 400 Bad request\r\nServer: C-ICAP/0.5.10\r\nConnection: close\r\n\r\n",
            "C-ICAP",
            "0.5.10",
        ),
        (b"ICAP/1.0 400 Bad request\r\n\r\n", "", ""),
        (
            b"meta\0u\0\0\0\2\0\0\0\1\0\2\0\5\0\2\0\x20" + bytes(range(32)) + b"\0\3\0\1\0",
            "Yggdrasil",
            "",
        ),
        (
            b'{\n  "status": "error",\n  "error": "Failed to find request",\n  "request": {\n',
            "",
            "",
        ),
        (
            (
                b'     133{\n"22ServerToClientResponse": {\n"stc_cmd_": {\n"polymorphic_name": "ErrorCmd",\n'
                b'"error_msg_": " ->Server:sched@3142 (5.13.8) replied with: Invalid argument"\n}}}}'
            ),
            "ecFlow",
            "5.13.8",
        ),
        (b"503 Leafnode must have a unique fully-qualified domain name.\r\n", "Leafnode nntpd", ""),
        (b"cvs [pserver aborted]: bad auth protocol start: GET / HTTP/1.0\n", "CVS pserver", ""),
        (b"220 mail.example Dovecot ready.\r\n", "Dovecot", ""),
        (b"220 mail.example Dovecot (Debian) ready.\r\n", "Dovecot", ""),
        (TELNET + b"Open On-Chip Debugger\r\n\r> ", "OpenOCD", ""),
        (b"QEMU 10.0.13 monitor - type 'help' for more information\r\n(qemu) ", "QEMU monitor", "10.0.13"),
        (QMP + b'Debian 1:10.0.13+ds-0+deb13u1"}, "capabilities"', "QEMU QMP", "10.0.13+ds-0+deb13u1"),
        (QMP + b'v9.2.0"}, "capabilities": ["oob"]}}\r\n', "QEMU QMP", "9.2.0"),
        (QMP + b'"}, "capabilities": ["oob"]}}\r\n', "QEMU QMP", ""),
        (b"Rsrv0103QAP1\r\n\r\nARucKae ARpt--\r\n", "Rserve", ""),
        (POKERTH, "PokerTH", ""),
        (b"Expecting SSL (optional) and CONFIG as first commands.\n", "csync2", ""),
        (b"554 5.5.0 Error: SMTP protocol synchronization\r\n", "Postfix smtpd", ""),
        (
            b"220 mx.example ESMTP\r\n221 2.7.0 Error: I can break rules, too. Goodbye.\r\n",
            "Postfix smtpd",
            "",
        ),
        (b"220 File drop\r\n500 HTTP protocol commands not allowed.\r\n", "vsftpd", ""),
        (b"220-File\r\n220 drop\r\n500 HTTP protocol commands not allowed.\r\n", "vsftpd", ""),
        (b"CLIENT_ERROR unauthenticated\r\n" * 2, "Memcached", ""),
        (b"+OK Ready.\r\n-ERR Unknown command.\r\n-ERR Unknown command.\r\n", "", ""),
        (GALERA, "Galera Cluster", ""),
        (b"Unknown or incomplete command::GET / HTTP/1.0\n", "Sipwise rtpengine", ""),
        (b"220 filter GNU Mailman LMTP runner 2.0\r\n", "GNU Mailman", ""),
        (b"220 [10.213.223.5] ESMTP amavisd-new service ready\r\n", "amavisd-new smtpd", ""),
        (SIEVE + b'vnd.cyrus.snooze date"\r\nOK\r\n', "Cyrus timsieved", ""),
    ],
)
def test_a_greeting_names_its_product(banner, product, version):
    recognised = banner_signs.recognise(banner)
    assert recognised is not None
    assert (recognised[0].product, recognised[1]) == (product, version)


@pytest.mark.parametrize(
    ("banner", "product"),
    [
        (b"220 mail.example ESMTP Postfix, not Dovecot ready.\r\n", "Postfix smtpd"),
        (TELNET + b"login: Open On-Chip Debugger\r\n", ""),
        (b"220 mx.example ESMTP\r\n554 SMTP synchronization error\r\n", ""),
        (b"220 mx.example ESMTP\r\n221 2.7.0 Error: Goodbye.\r\n", ""),
        (b"220 File drop\r\n500 HTTP not allowed.\r\n", ""),
        (SIEVE + b'date"\r\n"OWNER" "vnd.cyrus.snooze"\r\nOK\r\n', ""),
        (b"220 mail.example ESMTP in front of amavisd-new service ready\r\n", ""),
    ],
)
def test_a_greeting_that_only_mentions_a_product_is_another_one(banner, product):
    recognised = banner_signs.recognise(banner)
    assert recognised is not None
    assert recognised[0].product == product


@pytest.mark.parametrize(
    "banner",
    [
        b"huh? what\r\n",
        b"Welcome to the Osmotic VTY shop\r\n",
        b"Unison is what we sing in\n",
        b"PYRO\x01\xf6\2",
        b"400 load is high, try later\r\n",
        b"BOB says OK\n",
        bytes.fromhex("80010002 0001 8004 0002 000f"),
        DASK.replace(b"\xabcompression", b"\xaccompressions"),
        b"Tarantool 2.0 fan chat\r\n",
        b"421 Server busy :-(\r\n",
        b"421 4.7.0 mx.example :timeout\r\n",
        b"HTTP/1.0 403 Access denied\r\n\r\nAccess denied\n",
        b"metadata, two of them",
        b'{"status": "error", "error": "no such page", "code": 404}',
        b"451 busy :-(\r\n",
        b"QEMU is what we run here\r\n",
        b'{"QMP": "a page of ours"}',
        b"Rsrv is short for reserved\r\n",
        POKERTH.replace(b"\x12\x12\n", b"\x12\x12\x0b"),
        b"Expecting SSL, got plain text\n",
        b"CLIENT_ERROR unauthenticated, log in first\r\n",
        GALERA + b"\0",
        b"\xff" * 16 + b"\0\x35\1\3\xfc\1",
        b"\xff" * 15 + b"\0\0\x37\3\6\3",
        b"please upgrade qperf on server from 0.4.11 to 0.5",
        b"Unknown or incomplete command: GET\n",
        GALERA.replace(b"\0\x01\x10\0", b"\0\x01\x20\0"),
    ],
)
def test_what_resembles_a_greeting_names_nothing(banner):
    assert banner_signs.recognise(banner) is None


@pytest.mark.parametrize("quoted", [b"SSH-2.0-OpenSSH_10.0p2\r\n", b"Gophered by Gophernicus/3.1.1"])
def test_a_page_that_quotes_a_banner_is_a_page(quoted):
    assert banner_signs.recognise(b"HTTP/1.1 200 OK\r\n\r\n" + quoted) is None


def test_every_banner_that_asks_further_names_a_question():
    for sign, _ in banner_signs.SIGNS:
        assert not sign.ask or protocol_questions.named(sign.ask), sign
