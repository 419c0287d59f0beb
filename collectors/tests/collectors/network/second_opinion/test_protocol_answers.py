"""What answers to the questions of protocols show: real servers', and what only resembles them."""

import struct

import pytest

from discovery_collectors.collectors.network.second_opinion import protocol_questions
from discovery_collectors.collectors.network.second_opinion.findings import Finding

WESNOTH = b"\0\0\0*\0\0\0!" + bytes.fromhex("1f8b08000000000000ff8b2e4b2d2a") + b"\xce\xcc\xcf\x8b"
AFP = b"\1\3\0\1\0\0\0\0\0\0\1}\0\0\0\0\0\x16\0$\0O\0_\x8fy\2nas\0\1_\1o\1x\1y"
UNKNOWN = b"-ERR Unknown command.\r\n"
TIGERVNC = b"\0\0\0\x001Client needs protocol version 9.9, server has 3.8"
ASSOCIATION = b"\2\0\0\0\0\xb8\0\1\0\0ANY-SCP         DISCOVERY       "
SAMBA = (
    b"0w\2\1\7dr\4\x000n02\4\nvendorName1$\4\"Samba Team (https://www.samba.org)08\4\rvendorVersion1'"
    b"\4%4.22.11-Debian-4.22.11+dfsg-0+deb13u10\x0c\2\1\7e\7\n\1\0\4\0\4\0"
)


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
        ("nfs", b"\x80\0\0\x18disc\0\0\0\1" + bytes(16), "", ""),
        ("nfs", b"\x80\0\0 disc\0\0\0\1" + bytes(15) + b"\2\0\0\0\2\0\0\0\3", "", ""),
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
        ("afp", AFP + b"\rNetatalk4.2.3\6\6AFP2.2\6AFPX03\6AFP3.1", "Netatalk", "4.2.3"),
        ("afp", AFP + b"\x09Macintosh\6\6AFP2.2\6AFPX03\6AFP3.1", "", ""),
        ("ajp13", b"AB\0\1\x09", "Apache Jserv", ""),
        ("ldap", SAMBA, "Samba", "4.22.11"),
        ("dicom", ASSOCIATION + bytes(32) + b"R\0\0\x1b1.2.276U\0\0\x0fOFFIS_DCMTK_369", "DCMTK", ""),
        ("dicom", ASSOCIATION + bytes(32) + b"R\0\0\x1b1.2.276U\0\0\x0cSTORE_OF_US", "", ""),
        ("dicom", b"\3\0\0\0\0\4\0\1\1\7", "", ""),
        ("usbip", bytes.fromhex("0111000500000000 00000000"), "usbipd", ""),
        ("bzfs", b"BZFS0221\0", "BZFlag game server", ""),
        ("wesnoth", WESNOTH, "Battle For Wesnoth game server", ""),
        (
            "weechat",
            b"\0\0\0\xcb\0\0\0\0\4dischtbstrstr\0\0\0\6\0\0\0\x12password_hash_algo\0\0\0\5plain",
            "WeeChat relay",
            "",
        ),
        ("xymon", b"xymond 4.3.30\n", "Xymon", "4.3.30"),
        ("vnc", b"RFB 003.008\n" + TIGERVNC, "TigerVNC", ""),
        ("pop3", UNKNOWN * 3 + b"-ERR Too many invalid bad commands.\r\n", "Dovecot pop3d", ""),
        ("ident", b"0,0 : USERID : UNIX : x\r\nno ports : USERID : UNIX : x\r\n", "Nullidentd", ""),
        ("ident", b"0,0 : USERID : UNIX : x\r\n", "", ""),
        ("ident", b"0,0 : USERID : UNIX : x\r\n" * 2, "", ""),
        ("ident", b"0,0:ERROR:INVALID-PORT\r\n", "", ""),
        (
            "postgresql",
            b"E\0\0\0!SFATAL\0C08P01\0MSSL required\0\0",
            "PgFoundry PgBouncer PostgreSQL connection pooler",
            "",
        ),
        (
            "sip",
            b"SIP/2.0 404 No\r\nTo: <sip:x>;tag=2694bc2b9820a3a4dcbf924b150a5eba.6e910000\r\nServer: sip\r\n",
            "Kamailio sipd",
            "",
        ),
        (
            "sip",
            b"SIP/2.0 404 Not here\r\nTo: <sip:d@x>;tag=2694bc2b9820a3a4.6e91\r\nServer: sip\r\n",
            "",
            "",
        ),
        (
            "xmpp",
            (
                b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' "
                b"xmlns='jabber:client' from='discovery' version='1.0' "
                b"id='m39od1lmarwj3fv4a2y9qfqc8o68jp95tit6jfst'>"
            ),
            "jabberd2",
            "",
        ),
        ("erlang-node", b"\0\3sok", "Erlang Distribution Node", ""),
        ("spice", b"REDQ\2\0\0\0\2\0\0\0\xb2\0\0\0\4" + bytes(177), "SPICE", ""),
        ("irc", b":weechat.relay.irc CAP nick LS :server-time\r\n", "WeeChat relay", ""),
    ],
)
def test_a_protocols_answer_names_its_product(name, answer, product, version):
    question = protocol_questions.named(name)
    assert protocol_questions.read(question, answer) == Finding(name, product, version)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("afp", b"\1\3\0\2" + AFP[4:] + b"\rNetatalk4.2.3"),
        ("ajp13", b"AB\0\1\x09 and more"),
        ("ajp13", b"ABAB\0\1\x09"),
        ("dicom", b"\3\0\0\0\0\4" + bytes(4) + b" is no refusal"),
        ("dicom", b"HTTP/1.1 400 Bad Request\r\n\r\nU\0\0\x0fOFFIS_DCMTK_369"),
        ("usbip", bytes.fromhex("0111000500000002")),
        ("vnc", b"RFB 003.008\n"),
        ("vnc", b"RFB 003.008\n" + TIGERVNC.replace(b"1Client", b"8Error: client")),
        ("vnc", b"RFB 003.008\n" + TIGERVNC + b", or so"),
        ("ident", b"no ports : USERID : UNIX : x\r\n"),
        ("pop3", UNKNOWN * 4),
        ("pop3", b"-ERR Too many invalid bad commands.\r\n"),
        ("spice", b"REDQ\2\0\0\0\2\0\0\0\xb2\0\0\0\0" + bytes(177)),
        ("bzfs", b"BZFS is what we play\r\n"),
        ("wesnoth", WESNOTH.replace(b"\x1f\x8b", b"\x1f\x8c")),
        ("wesnoth", bytes(48)),
        ("xymon", b"ping? xymond 4.3.30 is not here\n"),
        ("weechat", b"unknown command: (disc) handshake; password_hash_algo\r\n"),
    ],
)
def test_what_only_resembles_an_answer_shows_nothing(name, answer):
    assert protocol_questions.read(protocol_questions.named(name), answer) is None


@pytest.mark.parametrize(
    ("result", "diagnostic", "product"),
    [
        (53, b"authentication required", "OpenLDAP"),
        (8, b"strong(er) authentication required", "OpenLDAP"),
        (13, b"confidentiality required", "OpenLDAP"),
        (13, b"TLS confidentiality required", "OpenLDAP"),
        (50, b"authentication required", ""),
        (8, b"Authentication required for this operation", ""),
    ],
)
def test_openldap_is_known_by_how_it_refuses_whoever_has_not_logged_in(result, diagnostic, product):
    done = b"\x0a\1%c\4\0\4%c%s" % (result, len(diagnostic), diagnostic)
    done = b"\2\1\7\x65%c%s" % (len(done), done)
    found = protocol_questions.read(protocol_questions.named("ldap"), b"\x30%c%s" % (len(done), done))
    assert found == Finding("ldap", product)


def test_an_answer_may_begin_with_a_short_question():
    zookeeper = protocol_questions.named("zookeeper")
    refusal = b"srvr is not executed because it is not in the whitelist.\n"
    assert protocol_questions.read(zookeeper, refusal) == Finding("zookeeper", "Zookeeper")


def test_a_console_that_greets_and_repeats_the_question_speaks_another_protocol():
    xmpp = protocol_questions.named("xmpp")
    console = b"Welcome to the OsmoMGW VTY interface\r\n\r\nOsmoMGW> " + xmpp.send[0]
    assert protocol_questions.read(xmpp, console) is None


def test_mongodb_answers_the_request_that_was_sent():
    mongodb = protocol_questions.named("mongodb")
    head = struct.pack("<IIII", 100, 5, 1, 2013)
    assert protocol_questions.read(mongodb, head) == Finding("mongodb", "MongoDB")
    assert protocol_questions.read(mongodb, struct.pack("<IIII", 100, 5, 2, 2013)) is None


def test_a_zabbix_agent_that_knows_no_such_item_is_no_server():
    refusal = b"ZBXD\1\x13\0\0\0\0\0\0\0ZBX_NOTSUPPORTED\0{}"
    assert protocol_questions.read(protocol_questions.named("zabbix-trapper"), refusal) is None


def test_openvpn_answers_the_session_that_was_opened():
    another = bytes.fromhex("001a 40 42ec99b52c0aed58 01 00000000") + b"elsewher" + bytes(4)
    assert protocol_questions.read(protocol_questions.named("openvpn"), another) is None


@pytest.mark.parametrize(
    ("refusal", "product"),
    [
        (b"E\0\0\x003SFATAL\0C08006\0MTarget database not identified\0\0", ""),
        (
            b"E\0\0\0ZSFATAL\0CXX000\0Minvalid PCP packet\0Dincorrect\0Fpcp_worker.c\0L188\0\0",
            "Pgpool-II",
        ),
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
