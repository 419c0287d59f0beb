"""The questions to servers of files, which greet first: what they can do, told before a login."""

from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    ProtocolQuestion,
    Reading,
    ports,
    usual_port_question,
)

_FEATURES = rb"^211-%b:\r\n(?:(?:211-| )[^\r\n]{1,200}\r\n){0,30}?(?:211-| )"
_FACTS_OF_PROFTPD = rb"MLST modify\*;perm\*;size\*;type\*;unique\*;UNIX\.group\*;"
_FACTS_OF_PURE_FTPD = (
    rb"MLST type\*;size\*;sizd\*;modify\*;UNIX\.mode\*;UNIX\.uid\*;UNIX\.gid\*;unique\*;\r\n"
)

FILE_QUESTIONS: tuple[ProtocolQuestion, ...] = (
    # Its features (RFC 2389, section 3), with the facts that it tells of a file (RFC 3659, section 7.8):
    # which, and in what order, is each server's own.
    usual_port_question(
        "ftp",
        (b"FEAT\r\n",),
        (
            Reading("ProFTPD", _FEATURES % b"Features" + _FACTS_OF_PROFTPD),
            Reading("Pure-FTPd", _FEATURES % b"Extensions supported" + _FACTS_OF_PURE_FTPD),
            Reading("", rb"^211[ -][^\r\n]{1,200}\r\n"),
        ),
        ports(21, 990, 2121),
        greeted=True,
        aliases=frozenset({"ftps"}),
    ),
)
