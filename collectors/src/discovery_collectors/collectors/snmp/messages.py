"""Writes and reads the SNMP messages that the collectors send: Get (RFC 3416), and SNMPv3's discovery."""

from dataclasses import dataclass
from typing import Final

from discovery_collectors.protocols import ber

VERSION_2C: Final = 1
_GET = 0xA0
_RESPONSE = 0xA2
_REPORTABLE = b"\x04"
_USER_SECURITY_MODEL = 3
_MAX_SIZE = 65507


@dataclass(frozen=True, slots=True)
class Response:
    """An agent's answer: `error` 0 is success; values by object identifier, each with its BER tag."""

    request_id: int
    error: int
    values: tuple[tuple[str, int, bytes], ...]


def get_message(version: int, community: bytes, request_id: int, objects: list[str]) -> bytes:
    """Write a Get of `objects`."""
    bindings = (
        ber.element(ber.SEQUENCE, ber.object_identifier(each), ber.element(ber.NULL)) for each in objects
    )
    request = ber.element(
        _GET,
        ber.integer(request_id),
        ber.integer(0),
        ber.integer(0),
        ber.element(ber.SEQUENCE, *bindings),
    )
    return ber.element(ber.SEQUENCE, ber.integer(version), ber.element(ber.OCTET_STRING, community), request)


def read_response(message: bytes) -> Response:
    """Read an agent's answer to a Get. Raises BerError."""
    _, _, pdu = ber.fields(ber.the_element(message, ber.SEQUENCE), ber.INTEGER, ber.OCTET_STRING, _RESPONSE)
    request_id, error, _, bindings = ber.fields(pdu, ber.INTEGER, ber.INTEGER, ber.INTEGER, ber.SEQUENCE)
    values = []
    for tag, binding in ber.elements(bindings):
        if tag != ber.SEQUENCE:
            raise ber.BerError("a variable binding that is no sequence")
        (name_tag, name), (value_tag, value) = _pair(binding)
        if name_tag != ber.OBJECT_IDENTIFIER:
            raise ber.BerError("a variable binding without a name")
        values.append((ber.read_object_identifier(name), value_tag, value))
    return Response(ber.read_integer(request_id), ber.read_integer(error), tuple(values))


def _pair(binding: bytes) -> list[tuple[int, bytes]]:
    pair = list(ber.elements(binding))
    if len(pair) != 2:
        raise ber.BerError("a variable binding that is no pair")
    return pair


def discovery_message(message_id: int) -> bytes:
    """Ask an SNMPv3 agent for its engine id, which it reveals without a login (RFC 3414, section 4)."""
    empty = ber.element(ber.OCTET_STRING)
    header = ber.element(
        ber.SEQUENCE,
        ber.integer(message_id),
        ber.integer(_MAX_SIZE),
        ber.element(ber.OCTET_STRING, _REPORTABLE),
        ber.integer(_USER_SECURITY_MODEL),
    )
    security = ber.element(ber.SEQUENCE, empty, ber.integer(0), ber.integer(0), empty, empty, empty)
    request = ber.element(
        _GET, ber.integer(message_id), ber.integer(0), ber.integer(0), ber.element(ber.SEQUENCE)
    )
    return ber.element(
        ber.SEQUENCE,
        ber.integer(3),
        header,
        ber.element(ber.OCTET_STRING, security),
        ber.element(ber.SEQUENCE, empty, empty, request),
    )


def read_engine_id(message: bytes) -> bytes:
    """Return the engine id from the report that answers a discovery. Raises BerError."""
    parts = ber.fields(
        ber.the_element(message, ber.SEQUENCE), ber.INTEGER, ber.SEQUENCE, ber.OCTET_STRING, None
    )
    if ber.read_integer(parts[0]) != 3:
        raise ber.BerError("an answer in another version of SNMP")
    return ber.fields(ber.the_element(parts[2], ber.SEQUENCE), ber.OCTET_STRING)[0]


def enterprise_of(engine_id: bytes) -> int | None:
    """Return the number of the enterprise that made the agent (RFC 3411, SnmpEngineID); None: not given."""
    if len(engine_id) < 5 or not engine_id[0] & 0x80:
        return None
    return int.from_bytes(engine_id[:4]) & 0x7FFFFFFF
