"""Answers to questions of usual ports, as Debian's servers gave them, and what resembles them."""

import pytest
from asking import ask
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion import protocol_bytes, protocol_questions
from discovery_collectors.collectors.network.second_opinion.findings import Finding

SUBMISSION = (
    b"250-inbox\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250-BURL imap\r\n250-CHUNKING\r\n"
    b"250-ENHANCEDSTATUSCODES\r\n250-SIZE\r\n250 PIPELINING\r\n"
)
EXIM = (
    b"250-mail.example Hello discovery [192.0.2.7]\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-PIPELINING\r\n"
    b"250-PIPECONNECT\r\n250-CHUNKING\r\n250 HELP\r\n"
)
LMTP = (
    b"250-imap\r\n250-8BITMIME\r\n250-PIPELINING\r\n250-IGNOREQUOTA\r\n"
    b"250 Ok SESSIONID=<cyrus-1796097103-119-1-14780156348070132911>\r\n"
)
STREAM = b"\0\0\0\x60\x80\x11\0\1\0\0\0\1\0\1\0\0\0\2\0\7product\0\x08RabbitMQ\0\7version\0\0054.0.5"
RABBITMQ = (
    b"ERROR\nmessage:Version mismatch\ncontent-type:text/plain\nversion:1.0,1.1,1.2\ncontent-length:35\n\n"
    b"Supported versions are 1.0,1.1,1.2\n\0\n"
)
ACTIVEMQ = (
    b"ERROR\ncontent-type:text/plain\nmessage:Invalid Protocol version[9.9]\n\n"
    b"org.apache.activemq.transport.stomp.ProtocolException: Invalid Protocol version[9.9]\n\0\n"
)
PPTP = b"\0\x9c\0\1\x1a+<M\0\2\0\0\1\0\1" + bytes(11) + b"\0\1"
BOUND = b"\5\0\x0c\3\x10\0\0\0<\0\0\0\1\0\0\0\xb8\x10\xb8\x10\x6f\x11\0\0\6\00049152\0\1\0\0\0"


@pytest.mark.parametrize(
    ("name", "answer", "product", "version"),
    [
        ("smtp", SUBMISSION, "Dovecot", ""),
        ("smtp", SUBMISSION.replace(b"250-AUTH PLAIN\r\n", b""), "Dovecot", ""),
        ("smtp", EXIM, "Exim smtpd", ""),
        ("smtp", EXIM.replace(b"PIPECON", b"X_PIPE_CON"), "Exim smtpd", ""),
        ("imap", b'* ID ("name" "Dovecot")\r\nd OK ID completed.\r\n', "Dovecot imapd", ""),
        ("lmtp", LMTP, "Cyrus Imap Daemon lmtpd", ""),
        ("pcp-pgpool", b"m\0\0\0\x08\x16\x85\x8fA", "Pgpool-II", ""),
        ("postsrsd", b"500 No at sign in sender address\n", "PostSRSd", ""),
        ("postsrsd", b"500 Not an SRS address.\n", "PostSRSd", ""),
        ("rpyc", b"\0\0\0\x0a\0\x02\x11Q\x11Q\rdisc\n", "RPyC", ""),
        ("rabbitmq-stream", STREAM, "RabbitMQ", "4.0.5"),
        ("stomp", RABBITMQ, "RabbitMQ", ""),
        ("stomp", ACTIVEMQ, "Apache ActiveMQ", ""),
        ("pptp", PPTP + b"local".ljust(64, b"\0") + b"linux".ljust(64, b"\0"), "Poptop", ""),
        ("pptp", PPTP + b"gate".ljust(64, b"\0") + b"linux".ljust(64, b"\0"), "", ""),
        ("knxd", b"\0\2\0\0", "knxd", ""),
        ("stomp", b"ERROR\nmessage:no such version\n\nof Supported versions are none\0", "", ""),
    ],
)
def test_an_answer_names_its_product(name, answer, product, version):
    question = protocol_questions.named(name)
    assert protocol_questions.read(question, answer) == Finding(name, product, version)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("smtp", SUBMISSION.replace(b"BURL imap", b"BURL")),
        ("smtp", EXIM.replace(b"250-PIPECONNECT\r\n", b"")),
        ("smtp", EXIM.replace(b" Hello discovery", b" greets you, discovery")),
        ("imap", b"* ID NIL\r\nd OK Completed\r\n"),
        ("imap", b'* OK relay in front of ("name" "Dovecot")\r\nd OK\r\n'),
        ("lmtp", b"250-mx\r\n250 8BITMIME\r\n"),
        ("lmtp", b"500 no SESSIONID=<cyrus-1>\r\n250 Ok SESSIONID=<cyrus-1>\r\n"),
        ("pcp-pgpool", b"m\0\0\0\x08\x16\x85\x8fAB"),
        ("pptp", PPTP.replace(b"\0\2\0\0", b"\0\1\0\0")),
        ("knxd", b"\0\2\0\0\0"),
        ("rabbitmq-stream", STREAM[:4] + b"\0" + STREAM[5:]),
        ("msrpc", b"\5\0\r\3\x10\0\0\0\x18\0\0\0\1\0\0\0\4\0\1\5\0\0\0\0"),
    ],
)
def test_what_only_resembles_an_answer_shows_nothing(name, answer):
    assert protocol_questions.read(protocol_questions.named(name), answer) is None


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            bytes(4) + bytes.fromhex("33057171babe37498319b5dbef9ccc36 01000000"),
            Finding("msrpc", "Microsoft Windows RPC"),
        ),
        (b"\2\0\2\0" + bytes(20), Finding("msrpc", refuted="Microsoft Windows RPC")),
        (b"\2\0\1\0" + bytes(20), None),
    ],
)
def test_windows_is_who_speaks_ndr_of_64_bits(result, expected):
    assert protocol_questions.read(protocol_questions.named("msrpc"), BOUND + result) == expected


def test_the_bind_announces_its_own_length():
    assert int.from_bytes(protocol_bytes.MSRPC[8:10], "little") == len(protocol_bytes.MSRPC)


async def test_who_wants_to_be_heard_first_is():
    async def serve(reader, writer):
        writer.write(b"220 imap server ready\r\n")
        said = await reader.read(100)
        writer.write(LMTP if said == b"LHLO discovery\r\n" else b"554 speak when you are spoken to\r\n")
        await reader.read(100)
        writer.close()

    async with listening(serve) as number:
        found = await ask(number, Port(number, "lmtp", probed=True), answer=1.0)
    assert found == Finding("lmtp", "Cyrus Imap Daemon lmtpd")
