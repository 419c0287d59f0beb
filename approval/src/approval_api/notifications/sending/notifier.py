"""Sends messages: signed webhooks, Slack, Teams, Matrix, Apprise and mail, each through the only way out."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook

from approval_api.database.rounds import apart, work_in_rounds
from approval_api.egress.client import Answer, Egress, NotAnsweredError
from approval_api.egress.hosts import NotAllowedError, Place
from approval_api.egress.mail import MailServer
from approval_api.egress.retry_after import wait_asked_for
from approval_api.notifications.sending import messages, outbox
from approval_api.notifications.sending.outbox import Message

logger = logging.getLogger(__name__)

_SECONDS = 60.0
_MAY_HEAL = frozenset({408, 409, 425, 429})
_REFUSED_BY_APPRISE = {
    204: "the Apprise API has no configuration of this key",
    424: "the Apprise API could not reach all of its configuration's services; its log says which",
}
"""Repeating the second would notify again those that were reached."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the receiver answered."""

    answer: str
    sent: bool
    may_heal: bool = False
    wait: float = 0.0
    """Seconds that the receiver asked to be left alone for."""


class Notifier:
    """Sends what waits for the life of the process."""

    def __init__(
        self,
        engine: AsyncEngine,
        egress: Egress,
        mail: MailServer | None,
        mail_domains: frozenset[str],
        base_url: str,
        matrix_tokens: Mapping[Place, str] = MappingProxyType({}),
    ) -> None:
        """Send by `egress` and `mail`, to addresses in `mail_domains`, with links below `base_url`.

        `matrix_tokens` are access tokens by homeserver; each is sent to its own only.
        """
        self._engine = engine
        self._egress = egress
        self._mail = mail
        self._mail_domains = mail_domains
        self._base_url = base_url
        self._matrix_tokens = matrix_tokens

    async def run(self) -> None:
        """Work until cancelled; wait for a database that is unreachable."""
        await work_in_rounds(self.work_once, "messages of notifications")

    async def work_once(self) -> None:
        """Send what is due, one message for each channel."""
        async with self._engine.connect() as connection:
            found = await outbox.due(connection)
        await asyncio.gather(
            *(apart(self._work_on(each), "a channel", channel=str(each.channel_id)) for each in found)
        )

    async def _work_on(self, each: outbox.Due) -> None:
        async with self._engine.begin() as connection:
            message = await outbox.claim(connection, each)
        if message is None:
            return
        try:
            async with asyncio.timeout(_SECONDS):
                said = await self._send(message)
        except NotAllowedError as error:
            said = Said(str(error), sent=False)
        except (NotAnsweredError, TimeoutError) as error:
            said = Said(str(error) or "no answer in time", sent=False, may_heal=True)
        except Exception:
            logger.exception("a message could not be sent", extra={"channel": str(each.channel_id)})
            said = Said("an error of this service; see its log", sent=False, may_heal=True)
        async with self._engine.begin() as connection:
            await outbox.store(
                connection,
                message,
                said.answer,
                sent=said.sent,
                may_heal=said.may_heal,
                wait=timedelta(seconds=said.wait),
            )

    async def _send(self, message: Message) -> Said:
        if message.attempts > outbox.MOST_ATTEMPTS:
            # Otherwise a message that ends each process that takes it would do so for ever.
            raise NotAllowedError(f"none of {outbox.MOST_ATTEMPTS} attempts came to an end; see the log")
        events, kind = message.events, message.channel.kind
        if kind == "email":
            return await self._send_mail(message)
        if kind == "matrix":
            return await self._send_to_room(message)
        now = datetime.now(UTC)
        body: JsonValue
        if kind == "webhook":
            body = messages.webhook(events, self._base_url, now)
        elif kind == "slack":
            body = messages.slack(events, self._base_url)
        elif kind == "apprise":
            body = messages.apprise(events, self._base_url)
        else:
            body = messages.teams(events, self._base_url)
        text = json.dumps(body)
        headers = {"Content-Type": "application/json"}
        if message.signing_key is not None:
            headers |= _signed(message, text, now)
        answer = await self._egress.request(
            "POST", message.channel.address, headers=headers, body=text.encode()
        )
        if kind == "apprise" and answer.status in _REFUSED_BY_APPRISE:
            return Said(f"HTTP {answer.status}: {_REFUSED_BY_APPRISE[answer.status]}", sent=False)
        return _said(answer)

    async def _send_mail(self, message: Message) -> Said:
        domain = message.channel.address.rpartition("@")[2]
        if self._mail is None:
            raise NotAllowedError("this deployment sends no mail; see DELIVERY_SMTP")
        if domain not in self._mail_domains:
            raise NotAllowedError(f"mail to {domain} is not allowed; see DELIVERY_MAIL_DOMAINS")
        events = message.events
        answer = await self._mail.send(
            to=message.channel.address,
            subject=messages.subject(events),
            text=messages.plain(events, self._base_url),
            message_id=str(message.id),
        )
        return Said(answer, sent=True)

    async def _send_to_room(self, message: Message) -> Said:
        """Send an event whose transaction has the message's id: a repetition has no further effect.

        The one call that is needed (Matrix' client-server API, `PUT /rooms/…/send/…`): nobody can have the
        account join a room by naming it.
        """
        address = message.channel.address
        place = Place.of(address)
        token = self._matrix_tokens.get(place)
        if token is None:
            raise NotAllowedError(f"no credential of Matrix is for {place}; see DELIVERY_CREDENTIALS")
        room = quote(urlsplit(address).path.removeprefix("/"), safe="")
        answer = await self._egress.request(
            "PUT",
            f"{place}/_matrix/client/v3/rooms/{room}/send/m.room.message/{message.id}",
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            body=json.dumps(messages.matrix(message.events, self._base_url)).encode(),
        )
        return _said(answer)


def _signed(message: Message, text: str, now: datetime) -> dict[str, str]:
    assert message.signing_key is not None
    message_id = f"msg_{message.id}"
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(message.signing_key).sign(message_id, now, text),
    }


def _said(answer: Answer) -> Said:
    if 200 <= answer.status < 300:
        return Said(f"HTTP {answer.status}", sent=True)
    if 300 <= answer.status < 400:
        return Said(f"HTTP {answer.status}: redirects are not followed", sent=False)
    may_heal = answer.status >= 500 or answer.status in _MAY_HEAL
    wait = wait_asked_for(answer) or 0.0
    return Said(f"HTTP {answer.status}", sent=False, may_heal=may_heal, wait=wait)
