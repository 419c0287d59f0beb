"""Credentials: sent to their own host, for their own kind, and shown to nobody."""

import pytest
from made_deliveries import (
    SECRET,
    add_destination,
    approve,
    approve_discoveries,
    items_of,
    preview,
)
from receiver import answer, receiving

from approval_api.deliveries.sending.answers import shown

HOST = ("host", "192.0.2.1", "{}")


async def test_a_credential_is_shown_to_its_own_host_only(engine, delivering):
    """Whoever may change a destination does not learn its credential by another host of the list."""
    async with receiving() as receiver, receiving() as other:
        await approve_discoveries(engine, HOST)
        destination = await add_destination(engine, kind="webhook", url=other.url(), credential="hook")
        delivery = await approve(engine, (await preview(engine, destination)).id)
        await delivering(receiver, other).work()
        (item,) = await items_of(engine, delivery.id)
        assert "shown nowhere else" in item.answer
        where = other.url("")
        assert item.answer.endswith(f"one for {where} is written NAME@{where}=… in DELIVERY_CREDENTIALS")
    assert other.connections == 0


async def answer_shown(engine, delivering, receiver, path):
    """Deliver one discovery to a hook at `path`; return what everybody sees of its answer."""
    await approve_discoveries(engine, HOST)
    destination = await add_destination(engine, kind="webhook", url=receiver.url(path), credential="hook")
    delivery = await approve(engine, (await preview(engine, destination)).id)
    await delivering(receiver).work()
    (item,) = await items_of(engine, delivery.id)
    return item.answer


async def test_an_answer_that_repeats_the_path_of_a_hook_shows_nothing(engine, delivering):
    async with receiving(lambda seen: answer(404, f"{seen.target} is unknown: /".encode())) as receiver:
        seen = await answer_shown(engine, delivering, receiver, "/services/s3cr3t?key=s3cr3t")
    assert seen == "HTTP 404: it repeats what was sent, and is not shown"


@pytest.mark.parametrize(
    "spelled",
    [
        '{"path":"\\/services\\/s3cr3t?key=1\\u0026sig=a%2fb\\u003D"}',  # PHP's JSON, and Go's
        "<p>/services/s3cr3t?key=1&amp;sig=a%2Fb&#61; is unknown</p>",
        "%2Fservices%2Fs3cr3t?key%3D1%26sig%3Da%252Fb%3D",
        "/services/s3cr3t?key=1&sig=a/b=",
        "/Services/S3cr3t?Key=1&#38;Sig=A&#x2f;B&#x3D;",
        "'\\x2Fservices\\x2fs3cr3t?key\\x3d1\\x26sig=a%2Fb='",  # scripts within pages
    ],
)
def test_what_is_hidden_is_hidden_in_any_spelling(spelled: str):
    for hidden in ("/services/s3cr3t", "key=1&sig=a%2Fb="):
        assert shown(spelled, ["whsec_", hidden]) == "it repeats what was sent, and is not shown"


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 400 No\r\n> "])
async def test_who_answers_with_the_request_instead_of_http_shows_nothing_of_it(engine, delivering, before):
    async with receiving(lambda seen: before + f"POST {seen.target} HTTP/1.1\r\n\r\n".encode()) as receiver:
        seen = await answer_shown(engine, delivering, receiver, "/services/s3cr3t")
    assert seen == f"the connection broke: illegal {'header' if before else 'status'} line"


@pytest.mark.parametrize(("kind", "credential"), [("netbox", "hook"), ("webhook", "token")])
async def test_a_credential_is_used_for_its_own_kind_only(engine, delivering, kind, credential):
    """What signs webhooks is sent to nobody, and a token signs nothing."""
    async with receiving() as receiver:
        await approve_discoveries(engine, HOST)
        destination = await add_destination(engine, kind=kind, url=receiver.url(), credential=credential)
        delivery = await preview(engine, destination)
        if kind == "webhook":
            await approve(engine, delivery.id)
        await delivering(receiver, token=SECRET).work()
        (item,) = await items_of(engine, delivery.id)
        assert (item.state, "for another kind" in item.answer) == ("dead", True)
    assert receiver.connections == 0


async def test_an_answer_that_repeats_the_credential_shows_nothing(engine, delivering):
    async with receiving(
        lambda seen: answer(400, b"x" * 150 + seen.headers["authorization"].encode())
    ) as receiver:
        await approve_discoveries(engine, HOST)
        netbox = await add_destination(engine, kind="netbox", url=receiver.url(""), credential="netbox")
        delivery = (await preview(engine, netbox)).id
        await delivering(receiver, netbox="0123456789abcdef-the-token-of-netbox").work()
    (item,) = await items_of(engine, delivery)
    assert item.answer == "HTTP 400: it repeats what was sent, and is not shown"
    assert "0123" not in item.answer
