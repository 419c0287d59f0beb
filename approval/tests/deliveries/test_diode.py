"""Deliveries to Diode, against its SDK's own service and dry-run client."""

import random
import ssl
from ipaddress import ip_network

import pytest
from certificates import Authority
from fake_diode import CREDENTIAL, serving_diode
from made_deliveries import (
    add_destination,
    approve,
    approve_discoveries,
    items_of,
    make_everything_due,
    preview,
    show,
)
from netboxlabs.diode.sdk.client import DiodeDryRunClient, load_dryrun_entities
from netboxlabs.diode.sdk.diode.v1 import ingester_pb2
from netboxlabs.diode.sdk.ingester import Entity, IPAddress
from pydantic import SecretStr
from receiver import answer, receiving

from approval_api.deliveries import service
from approval_api.deliveries.sending import diode as diode_sender
from approval_api.deliveries.sending import diode_messages
from approval_api.deliveries.sending.settings import Credential
from approval_api.egress.client import NotAnsweredError
from approval_api.egress.hosts import Place

HOST, SERVICE = ("host", "192.0.2.7", "{}"), ("service", "192.0.2.7:5432/tcp", '{"product": "x"}')


@pytest.fixture
async def diode():
    async with serving_diode() as diode:
        yield diode


async def delivered(engine, diode, process, *rows, url=None):
    """Approve discoveries, preview them, approve that and work until nothing is due; return the delivery."""
    await approve_discoveries(engine, *rows)
    destination = await add_destination(engine, kind="diode", url=url or diode.url(), credential="diode")
    delivery = (await preview(engine, destination)).id
    await process.work()
    await approve(engine, delivery)
    await process.work()
    return delivery


async def test_a_host_is_sent_to_diode_as_its_own_client_would(engine, diode, delivering, tmp_path):
    process = delivering(diode, diode=CREDENTIAL)
    delivery = await delivered(engine, diode, process, HOST, SERVICE)
    host, left = await items_of(engine, delivery)
    assert (host.action, host.state, host.answer) == ("create", "delivered", "taken by Diode")
    assert (left.action, left.state) == ("leave", "delivered")
    assert "device" in left.answer
    (request,) = diode.requests
    client = DiodeDryRunClient(output_dir=str(tmp_path))
    client.ingest([Entity(ip_address=IPAddress(address="192.0.2.7/32"))])
    (written,) = load_dryrun_entities(next(tmp_path.iterdir()))
    # Nothing but the address: whatever else is sent would replace what people entered.
    assert request.entities[0].ip_address == written.ip_address
    assert request.entities[0].WhichOneof("entity") == "ip_address"
    assert (request.stream, len(request.id)) == ("latest", 36)


async def test_no_removal_is_sent_before_the_approval(engine, diode, delivering):
    process = delivering(diode, diode=CREDENTIAL)
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="diode", url=diode.url(), credential="diode")
    delivery = (await preview(engine, destination)).id
    await process.work()
    (item,) = await items_of(engine, delivery)
    assert (item.state, diode.requests, diode.http.connections) == ("planned", [], 0)


async def test_of_a_thousand_none_is_lost_and_none_is_there_twice(engine, diode, delivering, monkeypatch):
    """Twice would be two addresses for one discovery: Diode keeps an entity by what it is."""
    monkeypatch.setattr(diode_sender, "SECONDS", 0.5)
    diode.random, diode.chance = random.Random(7), 0.1
    process = delivering(diode, diode=CREDENTIAL)
    rows = [("host", f"10.9.{n // 250}.{n % 250}", "{}") for n in range(1000)]
    delivery = await delivered(engine, diode, process, *rows)
    for _ in range(40):
        view = await show(engine, delivery)
        if view.state == "done":
            break
        if view.counts.dead:
            async with engine.begin() as connection:
                await service.resend(connection, delivery)
        await make_everything_due(engine)
        await process.work()
    assert (view.state, view.counts.delivered) == ("done", 1000)
    assert sorted(diode.entities) == sorted(f"{key}/32" for _, key, _ in rows)
    # A repetition is the same request: its id says so in Diode's log.
    sent = {}
    for request in diode.requests:
        assert sent.setdefault(request.id, request.entities[0]) == request.entities[0]
    assert len(sent) == 1000
    assert len(diode.requests) > 1000, "no answer was lost, so nothing was shown"


async def test_what_diode_refuses_is_given_up_with_what_it_said(engine, diode, delivering):
    diode.errors = ["entity 0: no such field \x1b[31m", "it came with a-secret-of-diode"]
    delivery = await delivered(engine, diode, delivering(diode, diode=CREDENTIAL), HOST)
    (item,) = await items_of(engine, delivery)
    assert item.state == "dead"
    assert "no such field" in item.answer
    assert "a-secret" not in item.answer
    assert "\x1b" not in item.answer


async def test_a_form_that_a_page_of_faults_repeats_is_shown_to_nobody(engine, delivering):
    """As it was sent, so encoded; and neither is the path, which only administrators see."""

    def repeat(seen):
        return answer(404, f"{seen.target} does not know {seen.body.decode()}".encode())

    async with receiving(repeat) as receiver:
        url = receiver.url("/a-hidden-path")
        added = await add_destination(engine, kind="diode", url=url, credential="diode")
        await delivering(receiver, diode="client+1:se/cret=").checker.work_once()
    async with engine.connect() as connection:
        said = (await service._destination(connection, added)).check.answer
    assert said == "HTTP 404: it repeats what was sent, and is not shown"
    assert not any(each in said for each in ("client+1", "client%2B1", "/cret", "Fcret", "hidden"))


@pytest.mark.parametrize(
    ("credential", "said"), [("a-client:wrong", "HTTP 401"), ("no-separator", "CLIENT_ID:CLIENT_SECRET")]
)
async def test_a_wrong_credential_is_named_and_not_shown(engine, diode, delivering, credential, said):
    delivery = await delivered(engine, diode, delivering(diode, diode=credential), HOST)
    (item,) = await items_of(engine, delivery)
    # What cannot even be looked at is left out of the approval.
    assert item.state == ("dead" if ":" in credential else "discarded")
    assert said in item.answer
    assert credential.rpartition(":")[2] not in item.answer.replace("CLIENT_ID:CLIENT_SECRET", "")
    assert diode.requests == []


async def test_what_resolves_to_inside_later_is_not_connected_to(engine, diode, delivering, monkeypatch):
    """The token came from a judged address; when the name then means another one, gRPC gets no connection."""
    answers = [["127.0.0.1"], ["127.0.0.1"]]

    async def resolve(host, port):
        return answers.pop(0) if answers else ["127.0.0.2"]

    async with receiving() as inside:
        process = delivering(diode, diode=CREDENTIAL)
        process.egress._resolve = resolve
        process.egress._pools.clear()
        answers[:] = [["127.0.0.1"]]
        delivery = await delivered(engine, diode, process, HOST)
    (item,) = await items_of(engine, delivery)
    assert (item.state, inside.connections, diode.requests) == ("dead", 0, [])
    assert "outside of the networks" in item.answer


async def test_a_name_that_was_forbidden_once_and_is_not_resolved_now_is_tried_again(
    engine, diode, delivering
):
    """Why a connection was refused is said of that connection, and of no later one."""
    process = delivering(diode, diode=CREDENTIAL)
    relay = await process.egress.relay(Place.of(diode.url("")))
    answers = [["127.0.0.2"]]

    async def resolve(host, port):
        if not answers:
            raise OSError("no answer of the name server")
        return answers.pop()

    relay._connections._resolve = resolve
    for state in ("dead", "waiting"):
        delivery = await delivered(engine, diode, process, HOST)
        (item,) = await items_of(engine, delivery)
        assert item.state == state, item.answer


async def test_a_token_that_another_item_replaced_meanwhile_is_shown_to_nobody(
    engine, diode, delivering, monkeypatch
):
    """What Diode says of a call may quote the token of that call."""
    process = delivering(diode, diode=CREDENTIAL)
    call = diode_sender.DiodeSender._call

    async def replaced_meanwhile(self, relay, request, token):
        diode.errors = ["no such field", f"called with {token}"]
        try:
            return await call(self, relay, request, token)
        finally:
            self._token = "another"

    monkeypatch.setattr(diode_sender.DiodeSender, "_call", replaced_meanwhile)
    delivery = await delivered(engine, diode, process, HOST)
    (item,) = await items_of(engine, delivery)
    assert item.answer == "no such field; it repeats what was sent, and is not shown"


async def test_tokens_that_expire_at_once_are_not_asked_for_without_end(
    engine, diode, delivering, monkeypatch
):
    process = delivering(diode, diode=CREDENTIAL)
    call = diode_sender.DiodeSender._call

    async def expired(self, relay, request, token):
        diode.tokens += 1
        try:
            return await call(self, relay, request, token)
        finally:
            self._token = f"token-{diode.tokens - 1}"  # as if another item had a new one

    monkeypatch.setattr(diode_sender.DiodeSender, "_call", expired)
    monkeypatch.setattr(diode_sender.DiodeSender, "_authenticate", lambda _: None)
    sender = diode_sender.DiodeSender(process.egress, diode.url(), CREDENTIAL, None)
    sender._token = "old"
    relay = await process.egress.relay(Place.of(diode.url("")))
    with pytest.raises(NotAnsweredError, match="3 tokens expired"):
        await sender._ingest(relay, diode_messages.IngestRequest())


async def test_proxies_of_the_environment_are_not_used(engine, diode, delivering, monkeypatch):
    async with receiving() as proxy:
        for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        delivery = await delivered(engine, diode, delivering(diode, diode=CREDENTIAL), HOST)
    (item,) = await items_of(engine, delivery)
    assert (item.state, proxy.connections) == ("delivered", 0)


@pytest.mark.parametrize(("name", "state"), [("diode.lan", "delivered"), ("another.lan", "waiting")])
async def test_tls_is_between_grpc_and_a_host_of_that_name(engine, delivering, tmp_path, name, state):
    place = Authority(tmp_path / "ca").sign(name, server=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place / "cert.pem", place / "key.pem")
    tls.set_alpn_protocols(["h2", "http/1.1"])

    async def resolve(host, port):
        return ["127.0.0.1"]

    async with serving_diode(tls) as diode:
        process = delivering(diode, at=diode, diode=CREDENTIAL)
        where = f"diode.lan:{diode.port}"
        process.settings.credentials["diode"] = Credential(Place.listed(where), SecretStr(CREDENTIAL))
        process.settings.__dict__["ca"] = (place / "ca.pem").read_text()
        process.egress._hosts.places[Place.listed(where)] = (ip_network("127.0.0.1"),)
        process.egress._resolve = resolve
        # The token is not what this is about: its connection is checked where egress is.
        process.egress._tls = ssl._create_unverified_context()
        delivery = await delivered(engine, diode, process, HOST, url=f"https://{where}/diode")
    (item,) = await items_of(engine, delivery)
    assert (item.state, len(diode.requests)) == (state, int(state == "delivered")), item.answer


def test_the_messages_are_those_of_diodes_sdk():
    for name, fields in diode_messages._MESSAGES.items():
        theirs = getattr(ingester_pb2, name).DESCRIPTOR.fields_by_name
        for field, (number, holds, repeated) in fields.items():
            assert theirs[field].number == number
            assert theirs[field].is_repeated == repeated
            assert getattr(theirs[field].message_type, "name", None) == holds
