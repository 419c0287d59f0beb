"""A connection to MySQL or MariaDB that gives away no password and reads no more than it has room for."""

import asyncio
import struct
from typing import Any

from asyncmy.connection import Connection
from asyncmy.constants.CLIENT import PLUGIN_AUTH, SSL
from asyncmy.errors import OperationalError

from discovery_collectors.collectors.database.service_report import DatabaseService
from discovery_collectors.protocols.tls_contexts import unverified_context
from dryrun_contract.collector_config import Credential

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10
_PACKET_BYTES = 1024 * 1024
_ALL_BYTES = 16 * 1024 * 1024
"""Bytes that one connection may receive; in memory, rows take up to thirteen times as much."""
_PROOFS = frozenset({b"mysql_native_password", b"caching_sha2_password"})
"""Ways to log in that prove the password without sending it."""
_KEY_REQUESTS = frozenset({b"\x01", b"\x02"})
"""sha256_password and caching_sha2_password: the server's own key, for it to decrypt the password."""


class PasswordRequestedError(OperationalError):
    """The server wants the password itself, in the clear or under a key of its own. It does not get it."""


class TooMuchError(OperationalError):
    """The server sends more than a catalog holds."""


class CautiousConnection(Connection):
    """asyncmy's connection with three refusals; LOAD DATA LOCAL it refuses itself, as it is not enabled.

    The methods are asyncmy's own, called by it at these points; its type stubs leave them out.
    """

    server_capabilities: int
    _auth_plugin_name: str = ""
    _password: bytes
    _proto: Any
    _told_bytes = 0

    async def _get_server_information(self) -> None:
        try:
            await super()._get_server_information()  # type: ignore[misc]  # it has no types
        except (LookupError, ValueError, struct.error):
            raise OperationalError(2027, "it does not greet as MySQL does") from None
        if not self.server_capabilities & PLUGIN_AUTH:
            raise OperationalError(2049, "it is older than MySQL 5.5, whose logins are no secret")
        if not self.server_capabilities & SSL:
            self._ssl_context = None
        if self._auth_plugin_name.encode() not in _PROOFS:
            # Not begun with; a server that insists asks for it, and _process_auth refuses.
            self._auth_plugin_name = "mysql_native_password"

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        if plugin_name not in _PROOFS:
            name = plugin_name[:60].decode("ascii", "replace")
            raise PasswordRequestedError(2059, f"it asks for a login by {name}, which is not supported")
        return await super()._process_auth(plugin_name, auth_packet)  # type: ignore[misc]  # it has no types

    def write_packet(self, payload: bytes) -> None:
        """Send a packet, unless it would give away the password. Raises PasswordRequestedError."""
        if payload in _KEY_REQUESTS or (self._password and payload.rstrip(b"\0") == self._password):
            raise PasswordRequestedError(2061, "it asks for the password itself, which it does not get")
        super().write_packet(payload)

    async def _fill_buffer(self, need: int) -> None:
        if need > _PACKET_BYTES:
            raise TooMuchError(2020, f"it announces a packet of {need} bytes")
        before = self._proto.length - self._proto.pos
        await super()._fill_buffer(need)  # type: ignore[misc]  # it has no types
        self._told_bytes += self._proto.length - self._proto.pos - before
        if self._told_bytes > _ALL_BYTES:
            raise TooMuchError(2020, f"it sends more than {_ALL_BYTES} bytes")


async def connect(service: DatabaseService, credential: Credential) -> CautiousConnection:
    """Log in once. Raises asyncmy's errors, and TimeoutError."""
    host, port = service.reached_at
    connection = CautiousConnection(  # type: ignore[no-untyped-call]  # asyncmy has no types
        host=host,
        port=port,
        user=credential.username,
        password=credential.password,
        charset="utf8mb4",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        autocommit=True,
        program_name="discovery-collect",
        ssl=unverified_context(),
    )
    async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS):
        await connection.connect()
    return connection
