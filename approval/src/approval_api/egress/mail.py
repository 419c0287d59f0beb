"""Mail through the administrator's server, connected to at a judged address like everything else.

What the server says is bounded, like every answer: in bytes, and by one deadline however slowly it says it.
"""

import asyncio
import io
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from types import TracebackType
from typing import Any, override

from approval_api.egress.addresses import judge
from approval_api.egress.client import NotAnsweredError
from approval_api.egress.connection import Resolve, resolve
from approval_api.egress.hosts import HostList, Network, NotAllowedError, Place

_SECONDS = 10.0
"""Longest time of each step."""
MAX_ANSWERS = 64 * 1024
"""Bytes of all that a server says; one that takes a mail says less than 1 KiB."""
WHOLE_SECONDS = 45.0
"""Longest time of one mail, its wait for a thread included. A thread cannot be cancelled, so it ends by
itself before its caller has given up, who would send the mail again."""
_AT_ONCE = 4
_MOST_ADDRESSES = 8
"""Addresses of one name that are tried, in the order of the resolver's answer."""
_IMPLICIT_TLS = 465


class _Answers(io.RawIOBase):
    """What a server says. Raises OSError beyond MAX_ANSWERS, or past the deadline."""

    def __init__(self, connected: socket.socket, deadline: float, spent: int) -> None:
        super().__init__()
        self._connected = connected
        self._deadline = deadline
        self.spent = spent

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0 or self.spent >= MAX_ANSWERS:
            raise OSError("the mail server says too much, or too slowly")
        self._connected.settimeout(min(seconds, _SECONDS))
        got = self._connected.recv_into(buffer)
        self.spent += got
        return got


class _JudgedSmtp(smtplib.SMTP):
    """Connects to the first judged address that accepts; TLS checks the name all the same."""

    def __init__(
        self, addresses: Sequence[str], place: Place, tls: ssl.SSLContext | None, deadline: float
    ) -> None:
        self._judged = addresses
        self._implicit = tls if place.port == _IMPLICIT_TLS else None
        self._deadline = deadline
        self._answers: _Answers | None = None
        super().__init__(place.host, place.port, local_hostname="discovery", timeout=_SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected = self._connected(port, timeout)
        if self._implicit is None:
            return connected
        return self._implicit.wrap_socket(connected, server_hostname=host)

    def _connected(self, port: int, timeout: float) -> socket.socket:
        failure: OSError | None = None
        for address in self._judged:
            seconds = self._deadline - time.monotonic()
            if seconds <= 0:
                break
            try:
                return socket.create_connection((address, port), min(seconds, timeout))
            except OSError as error:
                failure = error
        raise failure or OSError("the mail has waited too long for others")

    @override
    def getreply(self) -> tuple[int, bytes]:
        # After the connection, and after STARTTLS, smtplib would make a file that is not bounded.
        if self.file is None and self.sock is not None:
            spent = 0 if self._answers is None else self._answers.spent
            self._answers = _Answers(self.sock, self._deadline, spent)
            self.file = io.BufferedReader(self._answers)
        return super().getreply()

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What it answers to QUIT changes nothing: a mail that was accepted would be sent again.
        with suppress(smtplib.SMTPException, OSError):
            super().__exit__(kind, error, trace)


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server, in the form of an entry of the list of hosts: `mail.lan:587=10.1.2.0/24`.

    With TLS (from the start on port 465, by STARTTLS elsewhere), unless the entry begins with `http://`.
    """

    place: Place
    networks: tuple[Network, ...]
    sender: str
    login: tuple[str, str] | None
    tls: ssl.SSLContext
    own_networks: Sequence[Network] = ()
    resolve: Resolve = resolve
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mail")
    )
    """Its own: names are resolved in the loop's, and would wait for a slow server."""

    @staticmethod
    def parse(entry: str) -> tuple[Place, tuple[Network, ...]]:
        """Read the setting. Raises ValueError."""
        places = HostList.parse(entry).places
        if len(places) != 1:
            raise ValueError("expected one server: HOST:PORT[=NETWORK]")
        return next(iter(places.items()))

    async def send(self, *, to: str, subject: str, text: str, message_id: str) -> str:
        """Send one mail and return what the server said.

        Raises NotAllowedError when a rule or the server refuses it for good, NotAnsweredError otherwise.
        """
        deadline = time.monotonic() + WHOLE_SECONDS
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, to, subject
        # RFC 5322 demands it, and not every server adds it.
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{message_id}@{self.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        try:
            answers = await self.resolve(self.place.host, self.place.port)
        except OSError as error:
            raise NotAnsweredError(f"the mail server's name could not be resolved: {error}") from error
        judged = [str(judge(answer, self.networks, self.own_networks)) for answer in answers]
        if not judged:
            raise NotAnsweredError("the mail server's name has no address")
        talking = asyncio.get_running_loop().run_in_executor(
            self.threads, self._converse, judged[:_MOST_ADDRESSES], mail, to, deadline
        )
        return await talking

    def _converse(self, addresses: Sequence[str], mail: EmailMessage, to: str, deadline: float) -> str:
        plain = self.place.scheme == "http"
        try:
            with _JudgedSmtp(addresses, self.place, None if plain else self.tls, deadline) as smtp:
                if not plain and self.place.port != _IMPLICIT_TLS:
                    smtp.starttls(context=self.tls)
                if self.login is not None:
                    smtp.login(*self.login)
                smtp.send_message(mail, self.sender, [to])
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise _refused(code, "the mail server refuses the address") from error
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code, "the mail server refuses the mail") from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotAnsweredError(f"no whole answer of the mail server: {type(error).__name__}") from error
        return "accepted by the mail server"


def _refused(code: int, why: str) -> Exception:
    """A code of 500 and above is for good (RFC 5321, 4.2.1)."""
    said = f"{why} ({code})"
    return NotAllowedError(said) if code >= 500 else NotAnsweredError(said)
