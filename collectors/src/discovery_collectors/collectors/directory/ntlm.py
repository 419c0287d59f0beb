"""The tokens of an NTLM login ([MS-NLMP]) that SMB carries: anonymous, or with a user name and password."""

import struct
from dataclasses import dataclass
from typing import Final

from dryrun_contract.collector_config import Credential

_SIGNATURE = b"NTLMSSP\0"
_UNICODE, _TARGET, _NTLM, _ANONYMOUS, _EXTENDED = 0x1, 0x4, 0x200, 0x800, 0x80000
_TARGET_INFO: Final = 0x800000
_PLAIN = _UNICODE | _TARGET | _NTLM | _EXTENDED | _TARGET_INFO
_COMPUTER, _DNS_COMPUTER, _DNS_DOMAIN = 1, 3, 4
_NAME_CHARACTERS = 200


class NtlmError(ValueError):
    """The server's challenge cannot be read."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a server gives itself in its challenge."""

    computer: str = ""
    dns_computer: str = ""
    dns_domain: str = ""


class Anonymous:
    """An anonymous login; it has no key, so nothing is signed."""

    key = b""

    def first(self) -> bytes:
        """Begin."""
        return _SIGNATURE + struct.pack("<II", 1, _PLAIN) + bytes(16)

    def second(self, _challenge: bytes) -> bytes:
        """Answer the challenge with nothing ([MS-NLMP], 3.2.5.1.2): one zero byte, and no name."""
        end = 64
        empty = struct.pack("<HHI", 0, 0, end)
        zero = struct.pack("<HHI", 1, 1, end)
        fields = zero + empty * 5
        return _SIGNATURE + struct.pack("<I", 3) + fields + struct.pack("<I", _PLAIN | _ANONYMOUS) + b"\0"


class WithPassword:
    """A login that proves its password (NTLMv2) without sending it."""

    def __init__(self, credential: Credential, host: str) -> None:
        # Imported only where there is a credential.
        import spnego  # noqa: PLC0415

        self._context = spnego.client(
            credential.username,
            credential.password,
            hostname=host,
            service="cifs",
            protocol="ntlm",
            options=spnego.NegotiateOptions.use_ntlm,
        )

    @property
    def key(self) -> bytes:
        """The key that messages are signed with, known after `second`."""
        return bytes(self._context.session_key[:16])

    def first(self) -> bytes:
        """Begin."""
        return self._context.step() or b""

    def second(self, challenge: bytes) -> bytes:
        """Answer the challenge."""
        return self._context.step(challenge) or b""


def read_names(challenge: bytes) -> Names:
    """Read the names that the server gives itself. Raises NtlmError."""
    if challenge[:12] != _SIGNATURE + struct.pack("<I", 2) or len(challenge) < 48:
        raise NtlmError("not an NTLM challenge")
    size, _, offset = struct.unpack_from("<HHI", challenge, 40)
    info = challenge[offset : offset + size]
    found: dict[int, str] = {}
    while len(info) >= 4:
        kind, length = struct.unpack_from("<HH", info)
        if kind == 0:
            break
        found[kind] = info[4 : 4 + length].decode("utf-16-le", "replace")[:_NAME_CHARACTERS]
        info = info[4 + length :]
    return Names(found.get(_COMPUTER, ""), found.get(_DNS_COMPUTER, ""), found.get(_DNS_DOMAIN, ""))
