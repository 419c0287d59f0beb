"""Which questions a port is asked in which order, and what their answers show."""

import struct

import pytest

from discovery_collectors.collectors.network.second_opinion import protocol_bytes, protocol_questions
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


def names(port: int) -> list[str]:
    return [each.name for each in protocol_questions.in_order(port, again=False)]


@pytest.mark.parametrize("port", [14949, 24949, 4950, 4959])
def test_a_port_beside_a_usual_one_is_asked_its_question_first(port):
    assert names(port)[0] == "munin"


@pytest.mark.parametrize(("port", "name"), [(34007, "glusterd"), (32067, "bep-relay")])
def test_a_port_10000_above_a_usual_one_of_five_digits_is_asked_its_question_first(port, name):
    assert names(port)[0] == name


@pytest.mark.parametrize("port", [4949, 14950, 4951, 5949])
def test_a_question_of_usual_ports_is_asked_nowhere_else(port):
    assert "munin" not in names(port)


@pytest.mark.parametrize("port", [9000, 9001, 19000])
def test_php_is_asked_before_chats_where_it_mostly_listens(port):
    asked = [each.name for each in protocol_questions.in_order(port, again=True)]
    assert asked.index("fastcgi") < asked.index("weechat")


def test_no_port_is_asked_the_same_twice():
    for port in (443, 5433, 15432, 15666, 5667, 64738):
        asked = [each.name for each in protocol_questions.in_order(port, again=True, uncertified=True)]
        assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    ("name", "answer", "product", "version"),
    [
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
        ("bzfs", b"BZFS is what we play\r\n"),
        ("wesnoth", WESNOTH.replace(b"\x1f\x8b", b"\x1f\x8c")),
        ("wesnoth", bytes(48)),
        ("xymon", b"ping? xymond 4.3.30 is not here\n"),
        ("weechat", b"unknown command: (disc) handshake; password_hash_algo\r\n"),
    ],
)
def test_what_only_resembles_an_answer_shows_nothing(name, answer):
    assert protocol_questions.read(protocol_questions.named(name), answer) is None


def test_an_association_is_asked_for_in_the_lengths_that_it_announces():
    request = protocol_bytes.dicom()
    assert struct.unpack("!BxI", request[:6]) == (1, len(request) - 6)
    place, kinds = 74, []
    while place < len(request):
        kind, length = struct.unpack("!BxH", request[place : place + 4])
        kinds.append(kind)
        place += 4 + length
    assert (kinds, place) == ([0x10, 0x20, 0x50], len(request))


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
