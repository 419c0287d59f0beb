"""Messages: one for what a channel gathered, signed, inert, once, and to nowhere that is not listed."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from urllib.parse import quote
from uuid import uuid4

import pytest
from certificates import Authority
from pydantic import ValidationError
from receiver import RESET, answer, receiving
from smtp_server import smtp_server
from sqlalchemy import text
from standardwebhooks import Webhook

from approval_api.database.engine import DELIVERY_ROLE, create_engine
from approval_api.egress.client import Egress
from approval_api.egress.hosts import HostList, Place
from approval_api.egress.mail import MailServer
from approval_api.notifications import repository
from approval_api.notifications.sending import messages, outbox
from approval_api.notifications.sending.notifier import Notifier
from approval_api.notifications.sending.outbox import MOST_ATTEMPTS
from dryrun_contract.notification import ChannelRequest

KEY = "whsec_c29tZSBzZWNyZXQgb2YgdGVzdHM="
HOSTILE = (
    "Session failed: <!channel> <script>alert(1)</script> *bold* [x](http://evil) \x1b[31m\r\nBcc: x@y.z"
)


@pytest.fixture
async def notifying(database_url):
    async with AsyncExitStack() as exits:

        async def make(*receivers, mail=None, domains=("example.com",), tokens=None):
            hosts = ",".join(f"http://127.0.0.1:{each.port}=127.0.0.1" for each in receivers)
            engine = create_engine(database_url, role=DELIVERY_ROLE)
            exits.push_async_callback(engine.dispose)
            egress = await exits.enter_async_context(Egress(HostList.parse(hosts), seconds=5))
            return Notifier(
                engine, egress, mail, frozenset(domains), "https://approval.example", tokens or {}
            )

        yield make


async def add_channel(engine, kind, address, *texts, **wanted):
    request = ChannelRequest.model_validate(
        {"name": "x", "kind": kind, "address": address, "occasions": ["session_failed"], **wanted}
    )
    channel = uuid4()
    async with engine.begin() as connection:
        await repository.add(connection, channel, request, "ada", KEY if kind == "webhook" else None)
        for each in texts:
            await connection.execute(
                text(
                    "INSERT INTO gateway.notifications (channel_id, occasion, object, text, link) "
                    "VALUES (:channel, 'session_failed', gen_random_uuid()::text, :text, "
                    "'/dryrun/sessions/1')"
                ),
                {"channel": channel, "text": each},
            )
    return channel


async def states(engine, channel):
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT state FROM gateway.notifications WHERE channel_id = :id ORDER BY id"),
            {"id": channel},
        )
        return [row.state for row in rows]


async def said(engine, channel):
    async with engine.connect() as connection:
        query = text("SELECT answer FROM gateway.channels WHERE id = :id")
        return await connection.scalar(query, {"id": channel})


async def make_everything_due(engine):
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.notifications SET next_at = now()"))


async def test_a_webhook_reports_all_in_one_signed_message(engine, notifying):
    async with receiving() as receiver:
        channel = await add_channel(engine, "webhook", receiver.url(), "one", "two")
        await (await notifying(receiver)).work_once()
    (seen,) = receiver.received
    message = Webhook(KEY).verify(seen.body, seen.headers)
    assert [each["text"] for each in message["data"]["events"]] == ["one", "two"]
    assert message["data"]["events"][0]["url"] == "https://approval.example/dryrun/sessions/1"
    assert await states(engine, channel) == ["sent", "sent"]
    assert await said(engine, channel) == "HTTP 204"


async def test_a_message_that_ends_every_process_is_given_up(engine, notifying):
    """Such a process stores nothing of what became of it."""
    async with receiving() as receiver:
        channel = await add_channel(engine, "slack", receiver.url(), "one")
        async with engine.begin() as connection:
            most = {"most": MOST_ATTEMPTS}
            await connection.execute(text("UPDATE gateway.notifications SET attempts = :most"), most)
        await (await notifying(receiver)).work_once()
        assert receiver.received == []
    assert await states(engine, channel) == ["dead"]
    assert "none of 8 attempts came to an end" in await said(engine, channel)


async def test_a_message_that_this_service_fails_at_is_given_up_after_some_attempts(
    engine, notifying, monkeypatch
):
    monkeypatch.setattr(messages, "slack", lambda *_: 1 / 0)
    async with receiving() as receiver:
        channel = await add_channel(engine, "slack", receiver.url(), "one")
        notifier = await notifying(receiver)
        for _ in range(MOST_ATTEMPTS):
            assert await states(engine, channel) == ["waiting"]
            await notifier.work_once()
            await make_everything_due(engine)
    assert await states(engine, channel) == ["dead"]
    assert await said(engine, channel) == "an error of this service; see its log"


async def test_a_lost_answer_repeats_the_same_message_and_newer_ones_wait_for_their_own(engine, notifying):
    answers = [answer(503), answer(200), answer(200)]
    async with receiving(lambda _: answers.pop(0)) as receiver:
        channel = await add_channel(engine, "webhook", receiver.url(), "one")
        notifier = await notifying(receiver)
        await notifier.work_once()
        await notifier.work_once()
        assert len(receiver.received) == 1, "not before its pause is over"
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO gateway.notifications (channel_id, occasion, object, text, link) "
                    "VALUES (:id, 'session_failed', 'x', 'two', '/')"
                ),
                {"id": channel},
            )
        await make_everything_due(engine)
        await notifier.work_once()
    first, *others = receiver.received
    texts = {
        seen.headers["webhook-id"]: [each["text"] for each in seen.json["data"]["events"]] for seen in others
    }
    assert texts.pop(first.headers["webhook-id"]) == ["one"]
    assert list(texts.values()) == [["two"]]
    assert await states(engine, channel) == ["sent", "sent"]


@pytest.mark.parametrize(("asked_for", "seconds"), [("600", 600), ("5", 30), ("999999", 3600)])
async def test_a_channel_is_left_alone_for_as_long_as_it_asks(engine, notifying, asked_for, seconds):
    """At least for its own growing pause, at most for an hour."""
    async with receiving(lambda _: answer(429, Retry_After=asked_for)) as receiver:
        await add_channel(engine, "webhook", receiver.url(), "one")
        await (await notifying(receiver)).work_once()
    async with engine.connect() as connection:
        left = await connection.scalar(
            text("SELECT extract(epoch FROM next_at - now()) FROM gateway.notifications")
        )
    assert seconds - 10 < left <= seconds


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_text_of_targets_is_inert_in_chats(engine, notifying, kind):
    async with receiving() as receiver:
        await add_channel(engine, kind, receiver.url(), HOSTILE)
        await (await notifying(receiver)).work_once()
    (seen,) = receiver.received
    assert b"\\u001b" not in seen.body
    assert b"\x1b" not in seen.body
    if kind == "slack":
        assert "<!channel>" not in seen.json["text"]
        assert {block["text"]["type"] for block in seen.json["blocks"]} == {"plain_text"}
    else:
        (card,) = seen.json["attachments"]
        assert "\\[x\\]\\(http:" in card["content"]["body"][0]["text"]


async def test_an_apprise_api_gets_one_request_for_all_services_of_a_configuration(engine, notifying):
    async with receiving(lambda _: answer(200)) as receiver:
        channel = await add_channel(engine, "apprise", receiver.url("/notify/on-call"), HOSTILE)
        await (await notifying(receiver)).work_once()
    (seen,) = receiver.received
    assert (seen.target, seen.json["format"], seen.json["tag"]) == ("/notify/on-call", "text", "all")
    assert "https://approval.example/dryrun/sessions/1" in seen.json["body"]
    assert b"\\u001b" not in seen.body
    assert await states(engine, channel) == ["sent"]


@pytest.mark.parametrize(("status", "words"), [(204, "no configuration"), (424, "could not reach all")])
async def test_what_an_apprise_api_could_not_deliver_counts_as_given_up(engine, notifying, status, words):
    async with receiving(lambda _: answer(status)) as receiver:
        channel = await add_channel(engine, "apprise", receiver.url("/notify/on-call"), "one")
        notifier = await notifying(receiver)
        await notifier.work_once()
        await make_everything_due(engine)
        await notifier.work_once()
    assert len(receiver.received) == 1, "whoever was notified would be notified again"
    assert await states(engine, channel) == ["dead"]
    assert words in await said(engine, channel)


@pytest.mark.parametrize("path", ["", "/notify", "/notify/", "/notify/a/b", "/get/key", "/notify/key?tag=x"])
def test_the_address_of_an_apprise_api_names_a_configuration(path):
    wanted = {"name": "x", "kind": "apprise", "occasions": ["session_failed"]}
    ChannelRequest.model_validate({**wanted, "address": "https://apprise.lan:8000/below/notify/a_Key-1"})
    with pytest.raises(ValidationError, match="https://HOST/notify/KEY"):
        ChannelRequest.model_validate({**wanted, "address": f"https://apprise.lan{path}"})


async def test_mail_goes_through_the_servers_tls_and_has_one_subject_line(engine, notifying, tmp_path):
    place = Authority(tmp_path / "ca").sign("mail.lan", server=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place / "cert.pem", place / "key.pem")
    async with smtp_server(tls=tls) as server:
        where, networks = MailServer.parse(f"mail.lan:{server.port}=127.0.0.1")
        trusting = ssl.create_default_context(cafile=place / "ca.pem")

        async def resolved(host, port):
            return ["127.0.0.1"]

        mail = MailServer(where, networks, "discovery@example.com", None, trusting, resolve=resolved)
        channel = await add_channel(engine, "email", "ada@example.com", HOSTILE)
        await (await notifying(mail=mail)).work_once()
    (got,) = server.mails
    assert (got["To"], got["Bcc"]) == ("ada@example.com", None)
    assert got["Auto-Submitted"] == "auto-generated"
    assert "https://approval.example/dryrun/sessions/1" in got.get_content()
    assert await states(engine, channel) == ["sent"]


@pytest.mark.parametrize(("code", "state"), [(550, "dead"), (451, "waiting")])
async def test_a_mail_that_is_refused_for_good_is_given_up(engine, notifying, code, state):
    async with smtp_server(recipient_code=code) as server:
        where, networks = MailServer.parse(f"http://127.0.0.1:{server.port}=127.0.0.1")
        mail = MailServer(where, networks, "discovery@example.com", None, ssl.create_default_context())
        channel = await add_channel(engine, "email", "ada@example.com", "one")
        await (await notifying(mail=mail)).work_once()
    assert await states(engine, channel) == [state]
    assert str(code) in await said(engine, channel)


async def test_mail_goes_to_listed_domains_and_through_a_server_in_its_networks_only(engine, notifying):
    async with smtp_server() as server:
        where, networks = MailServer.parse(f"http://127.0.0.1:{server.port}=127.0.0.2")
        mail = MailServer(where, networks, "discovery@example.com", None, ssl.create_default_context())
        notifier = await notifying(mail=mail)
        elsewhere = await add_channel(engine, "email", "ada@elsewhere.example", "one")
        wrong = await add_channel(engine, "email", "ada@example.com", "one")
        await notifier.work_once()
    assert server.mails == []
    assert "DELIVERY_MAIL_DOMAINS" in await said(engine, elsewhere)
    assert "outside of the networks" in await said(engine, wrong)


async def test_a_host_that_is_not_listed_gets_nothing_and_a_redirect_is_not_followed(engine, notifying):
    async with (
        receiving() as inside,
        receiving(lambda _: answer(307, b"", Location=inside.url())) as receiver,
    ):
        other = await add_channel(engine, "slack", inside.url(), "one")
        redirected = await add_channel(engine, "slack", receiver.url(), "one")
        await (await notifying(receiver)).work_once()
    assert inside.connections == 0
    assert "not among the hosts" in await said(engine, other)
    assert "redirects are not followed" in await said(engine, redirected)
    assert await states(engine, other) == await states(engine, redirected) == ["dead"]


async def test_quiet_channels_wait_and_a_test_does_not(engine, notifying):
    async with receiving() as receiver:
        quiet = {"quiet_from": "00:00", "quiet_to": "23:59"}
        channel = await add_channel(engine, "slack", receiver.url(), "one", gather_minutes=1440, **quiet)
        notifier = await notifying(receiver)
        await notifier.work_once()
        assert receiver.received == []
        async with engine.begin() as connection:
            await repository.request_test(connection, channel, "ada")
            await repository.request_test(connection, channel, "ada")
        await notifier.work_once()
    assert "this channel works" in receiver.received[0].json["text"]
    assert await states(engine, channel) == ["waiting", "sent"]


async def test_a_hundred_quiet_channels_hold_up_no_other(engine, notifying):
    async with receiving() as receiver:
        quiet = {"quiet_from": "00:00", "quiet_to": "23:59", "gather_minutes": 1440}
        for _ in range(101):
            await add_channel(engine, "slack", receiver.url(), "one", **quiet)
        await add_channel(engine, "slack", receiver.url(), "two")
        await (await notifying(receiver)).work_once()
    assert len(receiver.received) == 1


async def test_eight_attempts_are_the_most(engine, notifying):
    async with receiving(lambda _: answer(500)) as receiver:
        channel = await add_channel(engine, "slack", receiver.url(), "one")
        notifier = await notifying(receiver)
        for _ in range(10):
            await notifier.work_once()
            await make_everything_due(engine)
    assert len(receiver.received) == 8
    assert await states(engine, channel) == ["dead"]


ROOM = "!a/b c:example.org".replace(" ", "-")


class Homeserver:
    """The call of Matrix' client-server API that is needed, with its rule on transactions."""

    def __init__(self, *lost):
        self.events = {}
        self.lost = list(lost)

    def behave(self, seen):
        assert seen.method == "PUT"
        before, room, after = "/_matrix/client/v3/rooms/", quote(ROOM, safe=""), "/send/m.room.message/"
        if seen.headers.get("authorization") != "Bearer a-token-of-matrix":
            return answer(401, {"errcode": "M_UNKNOWN_TOKEN"})
        if not seen.target.startswith(before + room + after):
            return answer(403, {"errcode": "M_FORBIDDEN"})
        transaction = seen.target.removeprefix(before + room + after)
        event = self.events.setdefault(transaction, seen.json)
        assert event == seen.json, "one transaction, two events"
        return self.lost.pop(0) if self.lost else answer(200, {"event_id": f"${transaction}"})


async def test_a_room_of_matrix_gets_one_message_although_the_answer_is_lost(engine, notifying):
    homeserver = Homeserver(RESET)
    async with receiving(homeserver.behave) as receiver:
        channel = await add_channel(engine, "matrix", receiver.url(f"/{ROOM}"), HOSTILE)
        notifier = await notifying(receiver, tokens={Place.of(receiver.url()): "a-token-of-matrix"})
        for _ in range(2):
            await make_everything_due(engine)
            await notifier.work_once()
    assert len(receiver.received) == 2
    (event,) = homeserver.events.values()
    assert event.keys() == {"msgtype", "body", "m.mentions"}
    assert (event["msgtype"], event["m.mentions"]) == ("m.notice", {})
    assert "\x1b" not in event["body"]
    assert "https://approval.example/dryrun/sessions/1" in event["body"]
    assert await states(engine, channel) == ["sent"]


async def test_a_homeserver_is_shown_its_own_token_and_no_other(engine, notifying):
    async with receiving() as receiver, receiving() as other:
        channel = await add_channel(engine, "matrix", receiver.url(f"/{ROOM}"), "one")
        tokens = {Place.of(other.url()): "a-token-of-matrix"}
        await (await notifying(receiver, other, tokens=tokens)).work_once()
    assert receiver.connections == other.connections == 0
    assert "no credential of Matrix" in await said(engine, channel)
    assert await states(engine, channel) == ["dead"]


@pytest.mark.parametrize(
    "address",
    [
        "https://matrix.example",
        "https://m.example/#room:x",
        "https://m.example/!a:b?x=1",
        "https://m.example/!a:b/%2e%2e",
        "https://m.example/../!a:b",
    ],
)
def test_a_room_is_named_by_its_id_and_by_nothing_that_leads_elsewhere(address):
    with pytest.raises(ValidationError):
        ChannelRequest(name="x", kind="matrix", address=address, occasions=("session_failed",))


async def test_a_channel_is_removed_beside_what_became_of_its_message(engine, notifying):
    """A deadlock ended one of the two after a second."""
    channel = await add_channel(engine, "webhook", "https://hooks.example.com/x", "later")
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.notifications SET next_at = now() + interval '1 h'"))
        await connection.execute(
            text(
                "INSERT INTO gateway.notifications (channel_id, occasion, object, text, link) "
                "VALUES (:channel, 'session_failed', 'x', 'x', '/')"
            ),
            {"channel": channel},
        )
    sender = (await notifying())._engine
    async with sender.begin() as connection:
        (due,) = await outbox.due(connection)
        message = await outbox.claim(connection, due)

    async def remove():
        async with engine.begin() as connection:
            assert await repository.remove(connection, channel, "ada")

    async def store():
        async with sender.begin() as connection:
            await outbox.store(connection, message, "HTTP 204", sent=True, may_heal=False)

    async with engine.begin() as connection:
        first = text("SELECT 1 FROM gateway.notifications WHERE text = 'later' FOR UPDATE")
        await connection.execute(first)
        removing = asyncio.create_task(remove())
        await asyncio.sleep(0.3)
        storing = asyncio.create_task(store())
        await asyncio.sleep(0.3)
    await asyncio.gather(removing, storing)
    assert await states(engine, channel) == []
