"""The questions to what takes logs, and to what counts what stands in them."""

from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    VERSION,
    ProtocolQuestion,
    Reading,
    ports,
    usual_port_question,
)

_COUNTED = b'{"general": {"start_date"'
_OFFER = b"relp_version=0\ncommands=syslog"

LOG_QUESTIONS: tuple[ProtocolQuestion, ...] = (
    # A session is offered (librelp, "RELP - The Reliable Event Logging Protocol"); nothing is logged in it.
    usual_port_question(
        "relp",
        (b"1 open %d %b\n" % (len(_OFFER), _OFFER),),
        (
            Reading("librelp", rb"^1 rsp \d{1,5} 200 OK\nrelp_version=\d\nrelp_software=librelp," + VERSION),
            Reading("", rb"^1 rsp \d{1,5} (?:200 OK\nrelp_version=\d|500 )"),
        ),
        ports(2514, 20514),
    ),
    # A WebSocket (RFC 6455, section 4.1), by which a page would follow the counts; they are sent at once.
    usual_port_question(
        "goaccess",
        (
            (
                b"GET / HTTP/1.1\r\nHost: discovery\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZGlzY292ZXJ5ZGlzY292ZQ==\r\n\r\n"
            ),
        ),
        (
            Reading(
                "GoAccess",
                rb"^HTTP/1\.1 101 [^\0]{1,400}?\r\n\r\n\x81[\s\S]{1,9}?" + _COUNTED,
                "http",
            ),
        ),
        ports(7890),
        whole=lambda content: _COUNTED in content,
    ),
)
