"""The bytes of the protocols' questions that are no text."""

import re
import struct
import zlib

from discovery_collectors.protocols import ber

_BOOLEAN, _SEARCH, _PRESENT = 0x01, 0x63, 0x87

POSTGRESQL = struct.pack("!II", 9, 196608) + b"\0"
"""A start-up message without a user, which no server accepts: the refusal shows who refuses."""
KAFKA = b"\0\0\0\x0d\0\x12\0\0\0\0\0\x2a\0\x03dis"
"""ApiVersions, version 0."""
CASSANDRA = b"\x04\0\0\0\x05\0\0\0\0"
"""CQL's OPTIONS."""
RDP = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0"
"""X.224's connection request with the protocols that the client knows."""
STUN = b"\0\x01\0\0\x21\x12\xa4\x42discovery001"
"""A binding request (RFC 8489)."""
ERLANG_NODE = b"\0\x1eN\0\0\0\x0d\x07\xdf\x7f\xbd\0\0\0\x01\0\x0fdiscovery@probe"
"""The first message of a handshake between nodes; the cookie would only come later."""
FIREBIRD = struct.pack("!12I", 1, 19, 3, 1, 0, 2, 0, 10, 1, 0, 5, 2) + struct.pack("!5I", 0x800D, 1, 0, 5, 4)
"""op_connect without a file, a user or a password: which protocols the server would speak, of 10 and 13."""
RPYC = b"\0\0\0\x0f\0\x01\x11Q\x11Q\x11R\x10\x11Q\rdisc\n"
"""HANDLE_PING (rpyc, `core/protocol.py`), whose text comes back; no object is asked for."""
SQL_SERVER = (
    b"\x12\x01\0\x2f\0\0\0\0"
    b"\0\0\x1a\0\x06\x01\0\x20\0\x01\x02\0\x21\0\x01\x03\0\x22\0\x04\x04\0\x26\0\x01\xff"
) + bytes(13)
"""TDS's prelogin."""

MSRPC = (
    b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0\xb8\x10\xb8\x10\0\0\0\0\x01\0\0\0\0\0\x01\0"
    + bytes.fromhex("80bda8af8a7dc911bef408002b102989 01000000")
    + bytes.fromhex("33057171babe37498319b5dbef9ccc36 01000000")
)
"""DCE/RPC's bind to the interface that every server has, for its management, in 64-bit NDR ([MS-RPCE])."""

_BULK = re.compile(rb"\$(\d{1,6})\r\n")


def is_whole_redis(content: bytes) -> bool:
    """Return whether the answer is an error's line, or the bulk string that it announces."""
    bulk = _BULK.match(content)
    if bulk is None:
        return content.startswith(b"-") and content.endswith(b"\r\n")
    return len(content) >= bulk.end() + int(bulk[1]) + 2


def is_whole_postgresql(content: bytes) -> bool:
    """Return whether the first message is there: a letter, then its length without the letter."""
    return len(content) >= 5 and len(content) > int.from_bytes(content[1:5])


def is_whole_mongodb(content: bytes) -> bool:
    """Return whether the message is there; it begins with its length."""
    return len(content) >= 16 and len(content) >= int.from_bytes(content[:4], "little")


def mongodb() -> bytes:
    """Return the command buildInfo, which every client may send."""
    document = b"\x10buildInfo\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0"
    body = bytes(4) + b"\0" + struct.pack("<I", len(document) + 4) + document
    return struct.pack("<IIII", len(body) + 16, 1, 0, 2013) + body


def mqtt() -> tuple[bytes, bytes]:
    """Return CONNECT without a login, then SUBSCRIBE to the topic that states the version."""
    connect = b"\0\x04MQTT\x04\x02\0\x0a\0\x0adiscovery1"
    subscribe = b"\0\1\0\x13$SYS/broker/version\0"
    return bytes([0x10, len(connect)]) + connect, bytes([0x82, len(subscribe)]) + subscribe


def ldap() -> bytes:
    """Return a search of the root entry (RFC 4512, section 5.1), which needs no bind."""
    wanted = (b"objectClass", b"vendorName", b"vendorVersion")
    search = ber.element(
        _SEARCH,
        ber.element(ber.OCTET_STRING),
        ber.integer(0, ber.ENUMERATED),
        ber.integer(0, ber.ENUMERATED),
        ber.integer(1),
        ber.integer(5),
        ber.element(_BOOLEAN, b"\0"),
        ber.element(_PRESENT, b"objectClass"),
        ber.element(ber.SEQUENCE, *(ber.element(ber.OCTET_STRING, name) for name in wanted)),
    )
    return ber.element(ber.SEQUENCE, ber.integer(7), search)


def dicom() -> bytes:
    """Return the request for an association (DICOM PS3.8, section 9.3.2) that could only verify itself.

    Nothing is verified or stored: what accepts it, or refuses it, shows that it speaks DICOM.
    """

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack("!BxH", kind, len(content)) + content

    verification = item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
    user = item(0x51, struct.pack("!I", 16384)) + item(0x52, b"2.25.1")
    body = struct.pack("!H2x16s16s32x", 1, b"ANY-SCP".ljust(16), b"DISCOVERY".ljust(16))
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, b"\x01\0\0\0" + verification) + item(0x50, user)
    return struct.pack("!BxI", 1, len(body)) + body


def nrpe() -> bytes:
    """Return NRPE's version 2 of the command that only returns the version."""
    packet = struct.pack("!hhIh1024s2x", 2, 1, 0, 0, b"_NRPE_CHECK")
    return struct.pack("!hhIh1024s2x", 2, 1, zlib.crc32(packet), 0, b"_NRPE_CHECK")


_MANAGED = (b"FCGI_MAX_CONNS", b"FCGI_MAX_REQS", b"FCGI_MPXS_CONNS")
_WANTED = b"".join(bytes([len(name), 0]) + name for name in _MANAGED)
FASTCGI = struct.pack("!BBHHBB", 1, 9, 0, len(_WANTED), 0, 0) + _WANTED
"""FCGI_GET_VALUES (FastCGI, section 4.1): what an application says of itself before any request."""
AFP = b"\0\x03\0\x01" + bytes(12)
"""DSIGetStatus, which needs no session: what the server is and speaks."""


def _rpc_call(program: int, version: int, procedure: int = 0) -> bytes:
    """Return a call without arguments and login, as one record (RFC 5531, sections 9 and 11)."""
    call = struct.pack("!4s9I", b"disc", 0, 2, program, version, procedure, 0, 0, 0, 0)
    return struct.pack("!I", 1 << 31 | len(call)) + call


RPCBIND = _rpc_call(100000, 4)
"""Procedure 0, which does nothing, of version 4 (RFC 1833)."""
NFS = _rpc_call(100003, 4)
"""Procedure 0, which does nothing, of version 4 (RFC 7530, section 15.1)."""
GLUSTER = _rpc_call(123451501, 1, 1)
"""DUMP (GlusterFS, `rpc/rpc-lib`): which programs the server has, which needs no login."""
_OW_PATH = b"/system/configuration/version\0"
OWSERVER = struct.pack("!6i", 0, len(_OW_PATH), 2, 0, 64, 0) + _OW_PATH
"""A read of the server's own version (OWFS, "owserver protocol"); no device on the bus is asked."""
SPICE = b"REDQ\x63\0\0\0\0\0\0\0\x12\0\0\0\0\0\0\0\1\0" + bytes(8) + b"\x12\0\0\0"
"""A link message of version 99, which no server speaks: so no session begins, and no client loses its own."""
LIBVIRT = struct.pack("!7I", 28, 0x20008086, 1, 66, 0, 0, 0)
"""REMOTE_PROC_AUTH_LIST: by which ways clients might log in."""
OPENVPN = b"\0\x0e\x38discover\0\0\0\0\0"
"""P_CONTROL_HARD_RESET_CLIENT_V2 over TCP: a session's id, nothing acknowledged, the first packet. A server
with a key for the control channel (`tls-auth`, `tls-crypt`) does not answer."""
SIP = (
    b"OPTIONS sip:discovery SIP/2.0\r\nVia: SIP/2.0/TCP discovery;branch=z9hG4bKdisco\r\n"
    b"From: <sip:d@discovery>;tag=d\r\nTo: <sip:d@discovery>\r\nCall-ID: discovery\r\nCSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 0\r\nContent-Length: 0\r\n\r\n"
)
PPTP = struct.pack("!HHIHHHHIIHH64s64s", 156, 1, 0x1A2B3C4D, 1, 0, 0x100, 0, 1, 1, 0, 1, b"discovery", b"")
"""Start-Control-Connection-Request (RFC 2637, section 2.1): no call is placed, and no login follows."""
KERBEROS_EXTENSION = b"\x80\0\0\0"
"""An extension that no server knows, which it has to refuse (RFC 4120, section 7.2.2)."""
KADMIN = _rpc_call(2112, 2)
"""Procedure 0, which does nothing, of the administration of MIT's Kerberos."""
QNETD = b"\0\0\0\0\0\x0d\0\x01\0\x09discovery"
"""PREINIT with the name of a cluster (corosync-qdevice, `msg.c`): is there TLS? Nothing joins before INIT."""
SERF = b"\x82\xa7Command\xa9handshake\xa3Seq\x01\x81\xa7Version\x01"
"""The handshake (Serf, "RPC Protocol"), which comes before a login."""
MEMBERLIST = b"\0\x82\xa5SeqNo\x07\xa4Node\xa0"
"""A ping of no node in particular (hashicorp/memberlist, `net.go`): it is answered, and changes no list."""


def _attribute(code: int, content: bytes, flags: int = 0x40) -> bytes:
    """Return an AVP (RFC 6733, section 4.1)."""
    return struct.pack("!IBxH", code, flags, 8 + len(content)) + content + bytes(-len(content) % 4)


_WHO = b"".join(
    (
        _attribute(264, b"discovery.invalid"),
        _attribute(296, b"invalid"),
        _attribute(257, b"\0\1\x7f\0\0\1"),
        _attribute(266, bytes(4)),
        _attribute(269, b"discovery", 0),
        _attribute(258, b"\xff\xff\xff\xfe"),
    )
)
DIAMETER = struct.pack("!II4x", 0x01000000 | 20 + len(_WHO), 0x80000101) + b"disc\0\0\0\1" + _WHO
"""Capabilities-Exchange-Request (RFC 6733, section 5.3.1) from a stranger, for an application that does not
exist: so no connection between peers begins."""
XMPP = (
    b"<?xml version='1.0'?><stream:stream to='discovery' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
)
