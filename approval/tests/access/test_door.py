"""What strangers send: refused before it is routed, counted in closed sets, reported in bounded lines."""

import asyncio
import json
import re
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from approval_api.app import create_app
from dryrun_serving.logs import JsonFormatter


async def exchange(api, *pieces, seconds=10):
    """Send bytes on a connection of their own; return all that comes until it ends."""
    address = urlsplit(str(api.client.base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(seconds):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def request(method=b"GET", target=b"/livez", *headers, body=b""):
    lines = (method + b" " + target + b" HTTP/1.1", b"Host: a", b"Connection: close", *headers)
    return b"\r\n".join((*lines, b"", body))


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


def labels_of(figures, family):
    (found,) = [each for each in text_string_to_metric_families(figures) if each.name == family]
    return [sample.labels for sample in found.samples if sample.name.endswith("_total")]


async def test_figures_stay_small_whatever_methods_and_paths_are_asked_for(api):
    for number in range(300):
        await exchange(api, request(b"A" * 12_000 + b"%d" % number, b"/x"))
    for number in range(100):
        await exchange(api, request(b"M%d" % number, b"/x"), request(b"GET", b"/nothing/%d" % number))
    answer = await api.client.get("/metrics")
    assert len(answer.content) < 100_000
    labels = labels_of(answer.text, "approval_http_requests")
    assert {each["method"] for each in labels} <= {"GET", "other"}
    assert {each["route"] for each in labels} <= {"unknown", "/livez", "/metrics"}


async def test_an_unknown_method_is_answered_501_whatever_it_asks_for(api):
    for target in (b"/livez", b"/nothing", b"/api/v1/production/discoveries", b"/sign-in"):
        for method in (b"BREW", b"CONNECT", b"get"):
            answer = await exchange(api, request(method, target, b"Content-Length: 4000000"))
            assert status_of(answer) == 501
            assert b"urn:dryrun:problem:method-not-implemented" in answer


async def test_a_line_of_the_log_is_bounded(api, caplog):
    caplog.set_level("INFO")
    await exchange(api, request(b"M" * 7_000, b"/" + b"p" * 7_000))
    await exchange(api, request(b"GET", b"/" + b"%1b" * 2_000))
    ours = [record for record in caplog.records if record.name.startswith("approval_api")]
    lines = [JsonFormatter().format(record) for record in ours]
    logged = [json.loads(line) for line in lines if '"message": "request"' in line]
    assert len(logged) == 2
    assert max(map(len, lines)) < 3_000
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("shown", [(), (b"Authorization: Bearer x",), (b"Cookie: approval=x",)])
async def test_routes_that_do_not_exist_take_turns_like_all_others(settings, orchestrator, serving, shown):
    few = settings.model_copy(update={"requests_per_second": 0.5, "requests_burst": 3})
    async with serving(create_app(few, orchestrator_transport=orchestrator)) as api:
        answers = [await exchange(api, request(b"GET", b"/nothing", *shown)) for _ in range(4)]
        assert [status_of(answer) for answer in answers] == [404, 404, 404, 429]
        assert re.search(rb"retry-after: [12]\r\n", answers[-1].lower())
        # Probes of monitoring, and who proves something at the same address, are not kept waiting.
        assert (await api.client.get("/livez", headers={"Authorization": ""})).status_code == 200
        assert (await api.get("/criteria")).status_code == 200


async def test_who_proved_something_takes_turns_at_routes_that_ask_nobody(settings, orchestrator, serving):
    few = settings.model_copy(update={"requests_per_second": 0.1, "requests_burst": 3})
    async with serving(create_app(few, orchestrator_transport=orchestrator)) as api:
        answers = [await api.client.get("/nothing") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
        bob = {"Authorization": "Bearer another-token-of-the-tests"}
        assert (await api.get("/criteria", headers=bob)).status_code == 200


async def test_strangers_do_not_keep_out_who_proved_something_at_the_same_address(
    settings, orchestrator, serving, browsers, api
):
    del api
    few = settings.model_copy(update={"requests_per_second": 0.2, "requests_burst": 4})
    async with serving(create_app(few, orchestrator_transport=orchestrator)) as api:
        ada = {"Authorization": "Bearer a-token-of-the-tests"}
        for _ in range(5):
            await exchange(api, request(b"GET", b"/nothing"))
        assert (await api.get("/criteria", headers=ada)).status_code == 200
        assert (await api.get("/criteria", headers={"Authorization": "Bearer drt_x"})).status_code == 429


async def test_who_is_over_the_limit_costs_no_look_at_the_database(settings, orchestrator, serving):
    few = settings.model_copy(update={"requests_per_second": 0.01, "requests_burst": 1})
    async with serving(create_app(few, orchestrator_transport=orchestrator)) as api:
        headers = {"Authorization": "Bearer drt_of-nobody"}
        assert (await api.get("/criteria", headers=headers)).status_code == 401
        begun = []
        engine = api.app.state.engine

        class Watched:
            def begin(self):
                begun.append(1)
                return engine.begin()

        api.app.state.engine = Watched()
        assert (await api.get("/criteria", headers=headers)).status_code == 429
        api.app.state.engine = engine
        assert begun == []


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (request(b"GET", b"/livez?" + b"q" * 60_000), {431}),
        (request(b"GET", b"/livez?" + b"q" * 9_000), {414}),
        (request(b"GET", b"/livez", b"X: " + b"x" * 60_000), {431}),
        (request(b"GET", b"/livez", *[b"X%d: 1" % number for number in range(200)]), {431}),
        (request(b"GET", b"/livez", b"X-Request-Id: " + b"x" * 10_000), {200}),
        (request(b"GET", b"/livez", b"Authorization: Bearer " + b"x" * 10_000), {200}),
        (request(b"GET", b"/livez", b"Content-Length: -1"), {400}),
        (request(b"GET", b"/livez", b"Content-Length: 1e3"), {400}),
        (request(b"GET", b"/livez", b"Content-Length: " + b"9" * 5_000), {400}),
        (request(b"GET", b"/livez", b"Content-Length: 99999999999999999999"), {200}),
        (request(b"GET", b"/livez", b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"), {400}),
        (request(b"GET", b"/livez", b"Transfer-Encoding: gzip, chunked"), {400, 501}),
        (request(b"GET", b"/livez", b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), {400}),
        (request(b"GET", b"/livez", b"Transfer-Encoding : chunked"), {400}),
        (request(b"GET", b"/livez", b"Transfer-Encoding:\x0bchunked"), {400}),
        (request(b"GET", b"/livez", b" folded: 1"), {200, 400}),
        (request(b"GET", b"http://other.example/livez"), {404}),
        (request(b"GET", b"/livez", b"Upgrade: websocket", b"Connection: upgrade"), {200}),
        (request(b"POST", b"/api/v1/login", b"Content-Type: application/json", b"Transfer-Encoding: chunked")
         + b"zz\r\n", {400}),
        (request(b"POST", b"/api/v1/login", b"Content-Type: application/json", b"Transfer-Encoding: chunked")
         + b"-1\r\n\r\n", {400}),
        (request(b"POST", b"/api/v1/login", b"Content-Type: application/json", b"Transfer-Encoding: chunked")
         + b"1;" + b"x" * 60_000, {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500, {400}),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 501}),
        (b"\r\n\r\n\r\n", {400, None}),
    ],
)  # fmt: skip
async def test_odd_requests_are_refused_or_served_and_nothing_fails(api, caplog, sent, statuses):
    assert status_of(await exchange(api, sent)) in statuses
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert (await api.client.get("/livez")).status_code == 200


async def test_a_length_beside_chunks_smuggles_nothing(api):
    chunked = b"0\r\n\r\n"
    hidden = request(b"GET", b"/readyz")
    sent = b"\r\n".join(
        (
            b"POST /api/v1/login HTTP/1.1",
            b"Host: a",
            b"Content-Type: application/json",
            b"Content-Length: %d" % (len(chunked) + len(hidden)),
            b"Transfer-Encoding: chunked",
            b"",
            chunked + hidden,
        )
    )
    answer = await exchange(api, sent)
    # RFC 9112, section 6.3: chunks win. The second request is a second request, answered as one.
    assert answer.count(b"HTTP/1.1 ") == 2 or status_of(answer) == 400


async def test_who_waits_for_100_continue_is_judged_first(api):
    head = b"POST /api/v1/production/discoveries HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
    answer = await exchange(api, head + b"Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n")
    assert status_of(answer) == 401


async def test_a_body_that_goes_on_without_end_ends_with_its_answer(api):
    address = urlsplit(str(api.client.base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(
        b"POST /api/v1/production/discoveries HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    async with asyncio.timeout(8):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)
    writer.transport.abort()
