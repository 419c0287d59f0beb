"""The tables of signs: every pattern compiles, is bounded on hostile text, and names what it may."""

import struct
import time

import pytest

from discovery_collectors.collectors.network.second_opinion import (
    banner_signs,
    http_signs,
    protocol_questions,
)
from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer
from discovery_collectors.collectors.network.second_opinion.products import is_library, read_server
from discovery_collectors.collectors.network.second_opinion.protocol_table import QUESTIONS

HOSTILE = [
    b"A" * 65536,
    b'"version": ' * 6000,
    b"<title>" * 9000,
    b"\0\x10\0\x03" * 16000,
    b"220 " + b"a " * 32000,
    b"* OK " + b"IMAP" * 16000,
    b'x_build_info{a="' * 4000,
    b"\x02version\0" * 7000,
    b"1." * 32000,
    b"redis_version:1" * 4369,
    b"\n" * 65536,
    (b"a" * 200 + b"\n") * 300,
    b"Gophered by " * 5000,
    b"<footer>" * 8000,
    b"<a href=/varz" * 5000,
    b"ICAP/1.0 400 x\r\n" + b"a\r\n" * 30000,
    b"\x80\0\1\x88disc\0\0\0\1" + bytes(65000),
    b'{"status":"error","error":"' * 2500,
    b":irc CAP * LS " + b" :" * 32000,
    b"E\0\0\0\0SFATAL\0" * 6000,
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_all_patterns_together_read_a_hostile_answer_within_a_second(content):
    text = content.decode("latin-1")
    began = time.process_time()
    banner_signs.recognise(content)
    for question in QUESTIONS:
        protocol_questions.read(question, content)
    for _, pattern, version in http_signs.SIGNS:
        pattern.search(text)
        version.search(text)
    http_signs.EXPORTER.match(text)
    http_signs.BUILD_INFO.search(text)
    HttpAnswer.read(b"HTTP/1.1 200 OK\r\n\r\n" + content)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("question", QUESTIONS, ids=[each.name for each in QUESTIONS])
def test_a_question_sent_back_answers_nothing(question):
    for sent in question.send:
        for content in (sent, sent * 2, sent + b"\r\n"):
            assert protocol_questions.read(question, content) is None


def test_an_answer_may_begin_with_a_short_question():
    zookeeper = protocol_questions.named("zookeeper")
    refusal = b"srvr is not executed because it is not in the whitelist.\n"
    assert protocol_questions.read(zookeeper, refusal) == Finding("zookeeper", "Zookeeper")


def test_mongodb_answers_the_request_that_was_sent():
    mongodb = protocol_questions.named("mongodb")
    head = struct.pack("<IIII", 100, 5, 1, 2013)
    assert protocol_questions.read(mongodb, head) == Finding("mongodb", "MongoDB")
    assert protocol_questions.read(mongodb, struct.pack("<IIII", 100, 5, 2, 2013)) is None


@pytest.mark.parametrize(
    ("banner", "product", "version"),
    [
        (b'{"class":"VERSION","release":"3.25","rev":"3.25"}\r\n', "gpsd", "3.25"),
        (b"K\0\0\0\x0a2.2.11-id64-release (95ae9a6)\0\1\0\0\0", "Sphinx Search", "2.2.11"),
        (b"\0\0\0\1\0\1\0\0\0\0\0\x30\0\0\0,invalid command (code=12064", "Sphinx Search", ""),
        (b"RPRT -1\nset_channel: TP/1.0/RPRT -2\n", "Hamlib", ""),
        (b'huh? Invalid command "GET"\n', "LCDproc", ""),
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
    ],
)
def test_a_banner_names_its_product(banner, product, version):
    recognised = banner_signs.recognise(banner)
    assert recognised is not None
    assert (recognised[0].product, recognised[1]) == (product, version)


@pytest.mark.parametrize("quoted", [b"SSH-2.0-OpenSSH_10.0p2\r\n", b"Gophered by Gophernicus/3.1.1"])
def test_a_page_that_quotes_a_banner_is_a_page(quoted):
    assert banner_signs.recognise(b"HTTP/1.1 200 OK\r\n\r\n" + quoted) is None


@pytest.mark.parametrize(
    ("name", "answer", "product", "version"),
    [
        (
            "nut",
            b"Network UPS Tools upsd 2.8.1 - https://www.networkupstools.org/\n",
            "Network UPS Tools upsd",
            "2.8.1",
        ),
        (
            "ovsdb",
            b'{"error":null,"id":0,"result":["Open_vSwitch","_Server"]}',
            "Open vSwitch database server",
            "",
        ),
        ("quassel", b"\0\0\0\2", "Quassel IRC core", ""),
        (
            "zabbix-trapper",
            b'ZBXD\1\x31\0\0\0\0\0\0\0{"response":"failed","info":"Permission denied."}',
            "Zabbix",
            "",
        ),
        (
            "openvpn",
            bytes.fromhex("001a 40 42ec99b52c0aed58 01 00000000") + b"discover" + bytes(4),
            "OpenVPN",
            "",
        ),
        ("irc", b":bnc CAP * LS :setname soju.im/bouncer-networks sasl=PLAIN batch\r\n", "soju", ""),
        ("irc", b":irc CAP * LS :setname soju.im/webpush sasl=PLAIN batch\r\n", "", ""),
        ("irc", b":bnc CAP * LS :soju.im/bouncer-networks\r\n", "soju", ""),
        ("irc", b":irc CAP * LS :setname x-soju.im/bouncer-networks batch\r\n", "", ""),
        ("irc", b":irc CAP * LS :setname soju.im/bouncer-networks-like batch\r\n", "", ""),
        (
            "irc",
            b":ergo.test CAP * LS * :account-notify chghost draft/languages=1,en ergo.chat/nope sasl\r\n",
            "Ergo",
            "",
        ),
        ("irc", b":irc CAP * LS :inspircd.org/poison multi-prefix\r\n", "InspIRCd", ""),
        ("irc", b":irc CAP * LS :tls unrealircd.org/link-security\r\n", "UnrealIRCd", ""),
        ("irc", b":irc CAP * LS :chghost solanum.chat/realhost\r\n", "Solanum", ""),
        ("irc", b":irc CAP * LS :notergo.chat/x\r\n", "", ""),
        (
            "glusterd",
            b"\x80\0\1\x88disc\0\0\0\1" + bytes(40) + b"\0\0\0\1\0\0\0\7GF-DUMP\0\0\0\0\0\x07[\xb8m",
            "GlusterFS",
            "",
        ),
        ("moosefs", b"\0\0\0\x0b\0\0\0\x0c\0\x049\n4.57.5-1", "MooseFS", "4.57.5-1"),
        ("indi", b'<defSwitchVector device="Telescope" name="CONNECTION"', "INDI server", ""),
        (
            "owserver",
            b"\0\0\0\0\0\0\0\5\0\0\0\5\0\0\0\0\0\0\0\5\0\0\0\x003.2p4",
            "owserver",
            "3.2p4",
        ),
        ("i2p-sam", b"HELLO REPLY RESULT=OK VERSION=3.1\n", "I2P SAM bridge", ""),
        (
            "bep-relay",
            b"\x9e\x79\xbc\x40\0\0\0\4\0\0\0\x1c\0\0\0\x64\0\0\0\x12unexpected message\0\0",
            "Syncthing relay",
            "",
        ),
        (
            "yggdrasil-admin",
            (
                b'{\n  "status": "success",\n  "response": {\n    "build_name": "yggdrasil",\n'
                b'    "build_version": "0.5.12",\n'
            ),
            "Yggdrasil",
            "0.5.12",
        ),
        ("domain", bytes(12) + b"\xc0\x0c\0\x10\0\3" + bytes(5) + b"\x08\x07gdnsd/3", "gdnsd", "3"),
        ("fastcgi", b"\1\x0a\0\0\0\x12\6\0\x0f\1FCGI_MPXS_CONNS0" + bytes(6), "PHP-FPM", ""),
        (
            "fastcgi",
            b"\1\x0a\0\0\0\x33\5\0\x0e\1FCGI_MAX_CONNS1\x0d\1FCGI_MAX_REQS1\x0f\1FCGI_MPXS_CONNS0",
            "",
            "",
        ),
        ("rpcbind", b"\x80\0\0\x18disc\0\0\0\1" + bytes(16), "rpcbind", ""),
        (
            "libvirt-rpc",
            b"\0\0\0\x24\x20\0\x80\x86\0\0\0\1\0\0\0\x42\0\0\0\1" + bytes(16),
            "libvirt",
            "",
        ),
        (
            "postgresql",
            (
                b"E\0\0\0\x9fSFATAL\0VFATAL\0C28000\0Mkein Benutzername\0Fbackend_startup.c\0L752\0"
                b"RProcessStartupPacket\0\0"
            ),
            "PostgreSQL DB",
            "",
        ),
    ],
)
def test_a_protocols_answer_names_its_product(name, answer, product, version):
    question = protocol_questions.named(name)
    assert protocol_questions.read(question, answer) == Finding(name, product, version)


def test_a_zabbix_agent_that_knows_no_such_item_is_no_server():
    refusal = b"ZBXD\1\x13\0\0\0\0\0\0\0ZBX_NOTSUPPORTED\0{}"
    assert protocol_questions.read(protocol_questions.named("zabbix-trapper"), refusal) is None


def test_openvpn_answers_the_session_that_was_opened():
    another = bytes.fromhex("001a 40 42ec99b52c0aed58 01 00000000") + b"elsewher" + bytes(4)
    assert protocol_questions.read(protocol_questions.named("openvpn"), another) is None


@pytest.mark.parametrize(
    "greeting",
    [
        b"huh? what\r\n",
        b"Tarantool 2.0 fan chat\r\n",
        b"421 Server busy :-(\r\n",
        b"421 4.7.0 mx.example :timeout\r\n",
        b"HTTP/1.0 403 Access denied\r\n\r\nAccess denied\n",
        b"metadata, two of them",
        b'{"status": "error", "error": "no such page", "code": 404}',
        b"451 busy :-(\r\n",
    ],
)
def test_a_word_of_another_service_names_nothing(greeting):
    assert banner_signs.recognise(greeting) is None


@pytest.mark.parametrize(
    ("refusal", "product"),
    [
        (b"E\0\0\x003SFATAL\0C08006\0MTarget database not identified\0\0", ""),
        (
            (
                b"E\0\0\0_SFATAL\0C28000\0Mno PostgreSQL user name specified in startup packet\0"
                b"Fprotocol/child.c\0L774\0\0"
            ),
            "Pgpool-II",
        ),
    ],
)
def test_who_refuses_otherwise_than_postgresql_is_not_it(refusal, product):
    found = protocol_questions.read(protocol_questions.named("postgresql"), refusal)
    assert found == Finding("postgresql", product, refuted="PostgreSQL DB")


def test_every_banner_that_asks_further_names_a_question():
    for sign, _ in banner_signs.SIGNS:
        assert not sign.ask or protocol_questions.named(sign.ask), sign


def test_no_question_carries_a_password_and_none_is_long():
    for question in QUESTIONS:
        for sent in question.send:
            assert 0 < len(sent) <= 1100, question.name
            lowered = sent.lower()
            for word in (b"auth ", b"pass", b"login", b"user ", b"set ", b"delete", b"drop", b"shutdown"):
                assert word not in lowered, question.name


def test_a_sign_that_asks_for_a_page_has_a_pattern_for_it():
    for sign, _, _ in http_signs.SIGNS:
        assert not sign.at or (sign.version and sign.at.startswith("/")), sign
        assert "(?P<version>" in sign.pattern + sign.version or not sign.at


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("nginx/1.26.3", ("nginx", "1.26.3")),
        ("Apache/2.4.68 (Debian)", ("Apache httpd", "2.4.68")),
        ("Microsoft-IIS/10.0", ("Microsoft IIS httpd", "10.0")),
        ("CherryPy/18.10.0", ("CherryPy httpd", "18.10.0")),
        ("TornadoServer/6.4.2", ("Tornado httpd", "6.4.2")),
        ("Python/3.13 aiohttp/3.11.16", ("aiohttp", "3.11.16")),
        ("Caddy", ("Caddy httpd", "")),
        ("Mojolicious (Perl)", ("Mojolicious httpd", "")),
        ("Linux/6.12, UPnP/1.0, Gerbera/2.5.0", ("Gerbera", "2.5.0")),
        (
            "Linux/6.18.44, UPnP/1.0, Portable SDK for UPnP devices/17.2.0",
            ("Portable SDK for UPnP", "17.2.0"),
        ),
        ("Unheard-Of/3.1 (x)", ("Unheard-Of", "3.1")),
        ("", ("", "")),
        ("\x1b[31m", ("", "")),
    ],
)
def test_a_servers_own_name_becomes_the_one_that_nmap_uses(header, expected):
    assert read_server(header) == expected


@pytest.mark.parametrize(
    "product",
    [
        "Golang net/http server",
        "Werkzeug httpd",
        "Node.js Express framework",
        "Jetty",
        "TwistedWeb httpd",
        "BaseHTTPServer",
        "SimpleHTTPServer",
        "Mojolicious httpd",
        "Portable SDK for UPnP",
    ],
)
def test_a_library_is_not_the_last_word(product):
    assert is_library(product)


@pytest.mark.parametrize("product", ["nginx", "Apache httpd", "thttpd", "Gitea", "RocketMQ", "Hyperion"])
def test_a_product_is(product):
    assert not is_library(product)
