"""The questions to mail servers, which greet first: what they offer, and how they lose patience."""

from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    ProtocolQuestion,
    Reading,
    ports,
    usual_port_question,
)

MAIL_QUESTIONS: tuple[ProtocolQuestion, ...] = (
    usual_port_question(
        "smtp",
        (b"EHLO discovery\r\n",),
        (
            # BURL needs an IMAP server that is trusted; the order of the rest is its own.
            Reading(
                "Dovecot",
                rb"^250-\S{1,200}\r\n250-8BITMIME\r\n(?:250-AUTH [^\r\n]{0,200}\r\n)?"
                rb"250-BURL imap\r\n250-CHUNKING\r\n",
            ),
            # An extension that it alone has, once experimental; and how it says hello.
            Reading(
                "Exim smtpd",
                rb"^250-\S{1,200} Hello discovery \[[0-9a-fA-F.:]{3,45}\]\r\n"
                rb"(?:250-[^\r\n]{1,200}\r\n){1,12}?250-(?:PIPECONNECT|X_PIPE_CONNECT)\r\n",
            ),
        ),
        ports(465, 587),
        greeted=True,
        aliases=frozenset({"smtps"}),
    ),
    usual_port_question(
        "lmtp",
        (b"LHLO discovery\r\n",),
        (Reading("Cyrus Imap Daemon lmtpd", rb"^250-[\s\S]{1,2000}\r\n250 Ok SESSIONID=<cyrus-"),),
        ports(24),
        greeted=True,
    ),
    # Who serves, which is told before a login (RFC 2971), whatever the greeting is.
    usual_port_question(
        "imap",
        (b"d ID NIL\r\n",),
        (Reading("Dovecot imapd", rb"^\* ID \(\"name\" \"Dovecot\""),),
        ports(143, 993),
        greeted=True,
        aliases=frozenset({"imaps"}),
    ),
    usual_port_question(
        "pop3",
        (b"NONE\r\n" * 4,),
        # Whatever it greets with, it loses patience in these words.
        (
            Reading(
                "Dovecot pop3d",
                rb"^(?:-ERR Unknown command\.\r\n){1,4}-ERR Too many invalid bad commands\.\r\n",
            ),
        ),
        ports(110, 995),
        greeted=True,
        aliases=frozenset({"pop3s"}),
    ),
    usual_port_question(
        "postsrsd",
        # Neither is an address, so that nothing is rewritten.
        (b"get discovery\n",),
        (Reading("PostSRSd", rb"^500 (?:No at sign in sender address|Not an SRS address\.)\n"),),
        ports(10001, 10002),
    ),
)
