"""The two questions by UDP that belong to no other collector: NTP and TFTP."""

import secrets
import struct

from discovery_collectors.protocols.udp import Facts, UdpProbe


def _ask_time(number: int) -> bytes:
    # RFC 5905: version 4, mode 3 (client); the server repeats the transmit timestamp as origin.
    return bytes([0x23]) + bytes(39) + struct.pack("!HHI", number, number, number)


def _read_time(answer: bytes, number: int) -> Facts | None:
    if (
        len(answer) < 48
        or answer[0] & 0x07 != 4
        or answer[24:32] != struct.pack("!HHI", number, number, number)
    ):
        return None
    return {"product": "NTP", "stratum": answer[1]}


def _ask_file(number: int) -> bytes:
    # RFC 1350, RRQ: of a file that no server has.
    return b"\x00\x01" + f"discovery-{number:04x}-{secrets.token_hex(8)}".encode("ascii") + b"\0octet\0"


def _read_tftp(answer: bytes, _: int) -> Facts | None:
    return {} if answer[:2] in {b"\x00\x03", b"\x00\x05", b"\x00\x06"} else None


NTP = UdpProbe(123, "ntp", _ask_time, _read_time)
TFTP = UdpProbe(69, "tftp", _ask_file, _read_tftp, other_port=True, farewell=b"\x00\x05\x00\x00end\0")
