"""Reads an LDAP server's root entry (RFC 4512, section 5.1), which lists the directories that it holds."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from discovery_collectors.protocols import ber
from discovery_collectors.protocols.tls_contexts import unverified_context
from discovery_collectors.running.scope import ScopedAddress

ANSWER_SECONDS = 10
_ANSWER_BYTES = 256 * 1024
MAX_CONTEXTS = 200
_VALUES = MAX_CONTEXTS + 1
"""Kept of one attribute: enough to know that there are more naming contexts."""
_TEXT_CHARACTERS = 1000
_BOOLEAN: Final = 0x01
_SEARCH: Final = 0x63
_ENTRY: Final = 0x64
_DONE: Final = 0x65
_UNBIND: Final = 0x42
_PRESENT: Final = 0x87
_SET: Final = 0x31
_ASKED = (
    "namingContexts",
    "vendorName",
    "vendorVersion",
    "objectClass",
    "supportedLDAPVersion",
    "supportedCapabilities",
    "dnsHostName",
)
_ACTIVE_DIRECTORY = frozenset({"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1851"})
"""supportedCapabilities of Active Directory and of its lightweight form."""


class LdapError(RuntimeError):
    """There is no answer, or it is not LDAP; the text says why."""


@dataclass(frozen=True, slots=True)
class RootEntry:
    """What the server shows every client."""

    contexts: tuple[str, ...]
    vendor: str
    version: str
    host: str
    """The DNS name that it gives itself, empty without one."""


async def read_root(address: ScopedAddress, port: int, *, tls: bool) -> RootEntry:
    """Read the root entry anonymously and unbind. Raises LdapError."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(
                address, port, ssl=unverified_context() if tls else None, server_hostname="" if tls else None
            )
            try:
                writer.write(_message(1, _search()))
                entry = await _read_entry(reader)
                writer.write(_message(2, ber.element(_UNBIND)))
                await writer.drain()
            finally:
                writer.close()
    except TimeoutError:
        raise LdapError(f"no whole answer within {ANSWER_SECONDS} s") from None
    except (OSError, EOFError, ber.BerError) as error:
        raise LdapError(f"no answer in LDAP: {error}"[:300]) from error
    return understand(entry)


def understand(entry: Mapping[str, list[str]]) -> RootEntry:
    """Name the maker by what the root entry holds; attribute names are in lower case."""
    vendor = next(iter(entry.get("vendorname", [])), "")
    if not vendor and "OpenLDAProotDSE" in entry.get("objectclass", []):
        vendor = "OpenLDAP"
    if not vendor and _ACTIVE_DIRECTORY.intersection(entry.get("supportedcapabilities", [])):
        vendor = "Microsoft Active Directory"
    return RootEntry(
        contexts=tuple(entry.get("namingcontexts", [])),
        vendor=vendor,
        version=next(iter(entry.get("vendorversion", [])), ""),
        host=next(iter(entry.get("dnshostname", [])), ""),
    )


def _search() -> bytes:
    nothing = ber.element(ber.OCTET_STRING)
    return ber.element(
        _SEARCH,
        nothing,
        ber.integer(0, ber.ENUMERATED),
        ber.integer(0, ber.ENUMERATED),
        ber.integer(1),
        ber.integer(5),
        ber.element(_BOOLEAN, b"\0"),
        ber.element(_PRESENT, b"objectClass"),
        ber.element(ber.SEQUENCE, *(ber.element(ber.OCTET_STRING, name.encode("ascii")) for name in _ASKED)),
    )


def _message(number: int, operation: bytes) -> bytes:
    return ber.element(ber.SEQUENCE, ber.integer(number), operation)


async def _read_entry(reader: asyncio.StreamReader) -> dict[str, list[str]]:
    """Read messages until the search is done; return the entry, an empty one if there was none."""
    found: dict[str, list[str]] = {}
    left = _ANSWER_BYTES
    while True:
        start = await reader.readexactly(2)
        while (size := ber.whole_size(start)) is None:
            start += await reader.readexactly(1)
        left -= size
        if left < 0:
            raise ber.BerError(f"more than {_ANSWER_BYTES} bytes")
        message = start + await reader.readexactly(size - len(start))
        parts = list(ber.elements(ber.the_element(message, ber.SEQUENCE)))
        if len(parts) < 2 or parts[0] != (ber.INTEGER, b"\1"):
            raise ber.BerError("an answer to something else")
        kind, content = parts[1]
        if kind == _DONE:
            return found
        if kind == _ENTRY:
            found = _read_attributes(content)


def _read_attributes(entry: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    _, attributes = ber.fields(entry, ber.OCTET_STRING, ber.SEQUENCE)
    for tag, attribute in ber.elements(attributes):
        if tag != ber.SEQUENCE:
            raise ber.BerError("an attribute that is no sequence")
        name, values = ber.fields(attribute, ber.OCTET_STRING, _SET)
        texts = [value.decode("utf-8", "replace")[:_TEXT_CHARACTERS] for _, value in ber.elements(values)]
        found[name.decode("utf-8", "replace").casefold()] = texts[:_VALUES]
    return found
