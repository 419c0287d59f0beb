"""Mutual TLS for TCP: a client proves its identity before the first byte of a request is read.

Options and files are those of Docker's own `--tlsverify`. The address is checked before the handshake begins;
a handshake counts as a connection of its address, and has the same time limit as a request's head.
"""

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker_guard.audit import metrics
from docker_guard.audit.audit_log import AuditLog
from docker_guard.clients.front_door import FrontDoor
from docker_guard.clients.listeners import take_connections
from docker_guard.clients.peers import Peer, peer_of
from docker_guard.refusal import Refusal
from docker_guard.rules.policy import ConfigurationError, Policy

_AT_ANY_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, for which Python has no name."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the CA that signs clients' certificates, and the guard's own certificate and key."""

    ca: Path
    certificate: Path
    key: Path


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return TLS 1.3 that accepts only clients with the CA's certificate. Raises ConfigurationError.

    No session tickets: every connection authenticates anew.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    _load(context, files, "served")
    metrics.CERTIFICATE_EXPIRES.set(_expiry(context, files.ca).timestamp())
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return TLS 1.3 towards another guard, which has to be of the same CA. Raises ConfigurationError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load(context, files, "spoken")
    return context


def _load(context: ssl.SSLContext, files: TlsFiles, what: str) -> None:
    try:
        context.load_verify_locations(files.ca)
        context.load_cert_chain(files.certificate, files.key)
    except OSError as error:  # ssl.SSLError is one
        shown = ", ".join(map(str, (files.ca, files.certificate, files.key)))
        raise ConfigurationError(f"TLS cannot be {what} with {shown}: {error}") from None


def _expiry(server: ssl.SSLContext, ca: Path) -> datetime:
    """Return when the guard's certificate expires, by a handshake with a client that trusts `ca`.

    Raises ConfigurationError when such a client would accept it at no time. One that has expired is served,
    and refused by clients: a guard that ended for it would remove nothing that is due.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= _AT_ANY_TIME
    client.load_verify_locations(ca)
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(here, there)
    answering = server.wrap_bio(there, here, server_side=True)
    try:
        for side in (asking, answering, asking):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLError as error:
        raise ConfigurationError(f"clients that trust {ca} would refuse the certificate: {error}") from None
    shown: Any = asking.getpeercert()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)


class TlsDoor:
    """Accepts connections for a front door, which sees only authenticated clients."""

    def __init__(self, door: FrontDoor, context: ssl.SSLContext, policy: Policy, record: AuditLog) -> None:
        self._door = door
        self._context = context
        self._policy = policy
        self._record = record

    async def serve(self, listener: socket.socket) -> None:
        """Accept connections until cancelled; running handshakes are then broken off."""
        await take_connections(listener, self._let_in)

    async def _let_in(self, connection: socket.socket) -> None:
        begun = time.monotonic()
        try:
            peer = peer_of(connection, self._policy)
        except OSError:  # the client left already
            connection.close()
            return
        try:
            with self._door.crowd.admitted(peer):
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._door.connection,
                    connection,
                    ssl=self._context,
                    ssl_handshake_timeout=self._policy.head_seconds,
                    ssl_shutdown_timeout=self._policy.stalled_seconds,
                )
        except Refusal as refusal:
            connection.close()
            self._note(peer, refusal.rule, refusal.reason, time.monotonic() - begun)
        except OSError as error:  # ssl.SSLError is one, and so is a handshake that timed out
            reason = getattr(error, "reason", None) or type(error).__name__
            self._note(peer, "tls", f"no handshake: {reason}", time.monotonic() - begun)

    def _note(self, peer: Peer, rule: str, reason: str, seconds: float) -> None:
        self._record.decided(
            peer=peer.shown,
            method="-",
            path="-",
            route="-",
            verdict="refused",
            rule=rule,
            status=0,
            seconds=seconds,
            reason=reason,
        )
