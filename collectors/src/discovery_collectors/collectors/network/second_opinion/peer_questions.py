"""The questions to what peers connect to, or through: Diameter's nodes, relays of files."""

from discovery_collectors.collectors.network.second_opinion import protocol_bytes
from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    ProtocolQuestion,
    Reading,
    ports,
    usual_port_question,
)

_CAPABILITIES = rb"^\x01\0[\s\S]{2}[\0\x20]\0\x01\x01\0{4}disc\0\0\0\x01"
"""The header of Capabilities-Exchange-Answer, with the question's identifiers (RFC 6733, section 3)."""

PEER_QUESTIONS: tuple[ProtocolQuestion, ...] = (
    usual_port_question(
        "diameter",
        (protocol_bytes.DIAMETER,),
        (
            Reading(
                "freeDiameter", _CAPABILITIES + rb"[\s\S]{0,600}?\0\0\x01\x0d[\0\x40]\0\0\x14freeDiameter"
            ),
            # What it calls its refusal, as no other does, right after the code and before its own name.
            Reading(
                "freeDiameter",
                _CAPABILITIES + rb"\0\0\x01\x0c\x40\0\0\x0c\0\0\x0b\xc2"
                rb"\0\0\x01\x19\0\0\0\x1dDIAMETER_UNKNOWN_PEER\0{3}\0\0\x01\x08\x40",
            ),
            Reading("", _CAPABILITIES),
        ),
        ports(3868),
    ),
    # A handshake, and more before a partner is there: it is refused at once, and waits for nobody.
    usual_port_question(
        "wormhole-transit",
        (b"please relay " + b"0" * 64 + b" for side " + b"0" * 16 + b"\nx",),
        (Reading("Magic Wormhole transit relay", rb"^impatient\n$"),),
        ports(4001),
    ),
)
