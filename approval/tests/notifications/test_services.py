"""What Apprise, mail servers and Matrix get, each by its own rules."""

import ssl
from urllib.parse import quote

import pytest
from certificates import Authority
from notified import HOSTILE, add_channel, make_everything_due, said, states
from pydantic import ValidationError
from receiver import RESET, answer, receiving
from smtp_server import smtp_server

from approval_api.egress.hosts import Place
from approval_api.egress.mail import MailServer
from dryrun_contract.notification import ChannelRequest


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
