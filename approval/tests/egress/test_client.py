"""Requests to real servers on loopback: only to what is listed, once resolved, bounded both ways."""

import asyncio
import ssl

import pytest
from certificates import Authority
from receiver import HANG, RESET, answer, receiving

from approval_api.egress.client import MAX_SENT, Egress, NotAnsweredError
from approval_api.egress.connection import resolve
from approval_api.egress.hosts import HostList, NotAllowedError


def listed(*entries):
    return HostList.parse(",".join(entries))


def resolving(*answers):
    """Answers one after the other; the last again and again. What was asked is in `asked`."""
    asked = []

    async def answered(host, port):
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    answered.asked = asked
    return answered


async def test_sends_and_reads_the_answer():
    async with receiving(lambda _: answer(201, {"id": 7}, X_Request="a")) as receiver:
        hosts = listed(f"http://127.0.0.1:{receiver.port}=127.0.0.1")
        async with Egress(hosts) as egress:
            got = await egress.request("POST", receiver.url("/a?b=c"), headers={"X": "y"}, body=b"{}")
    assert (got.status, got.body, got.headers["x-request"]) == (201, b'{"id": 7}', "a")
    (seen,) = receiver.received
    assert (seen.method, seen.target, seen.body) == ("POST", "/a?b=c", b"{}")
    assert seen.headers["x"] == "y"
    assert seen.headers["accept-encoding"] == "identity"


async def test_a_host_that_is_not_listed_is_not_even_resolved():
    asked = resolving(["127.0.0.1"])
    async with Egress(listed("hooks.example.com"), resolve=asked) as egress:
        for url in ("https://other.example.com/", "http://hooks.example.com/", "https://127.0.0.1/"):
            with pytest.raises(NotAllowedError):
                await egress.request("GET", url)
    assert asked.asked == []


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["2002:7f00:1::1"],
        ["8.8.8.8", "127.0.0.1"],
        ["fe80::1%1"],
        [],
        ["8.8.8.8"] * 33,
    ],
)
async def test_a_listed_name_that_resolves_to_inside_is_refused(answers):
    async with receiving() as receiver:
        hosts = listed(f"hooks.example.com:{receiver.port}")
        async with Egress(hosts, resolve=resolving(answers)) as egress:
            with pytest.raises(NotAllowedError):
                await egress.request("GET", f"https://hooks.example.com:{receiver.port}/")
    assert receiver.connections == 0


async def test_this_machines_own_name_is_refused_by_what_it_really_resolves_to():
    async with receiving() as receiver, Egress(listed(f"localhost:{receiver.port}")) as egress:
        with pytest.raises(NotAllowedError, match="not public"):
            await egress.request("GET", f"https://localhost:{receiver.port}/")
    assert receiver.connections == 0
    assert set(await resolve("localhost", 1)) <= {"127.0.0.1", "::1"}


async def test_rebinding_finds_nothing_to_rebind():
    """The judged address is the one that is connected to; the next connection is judged anew."""
    async with receiving(lambda _: answer(200, b"", Connection="close")) as receiver:
        hosts = listed(f"http://netbox.lan:{receiver.port}=127.0.0.1/32")
        asked = resolving(["127.0.0.1"], ["127.0.0.2"])
        async with Egress(hosts, resolve=asked) as egress:
            url = receiver.url("/", "netbox.lan")
            assert (await egress.request("GET", url)).status == 200
            assert asked.asked == ["netbox.lan"]
            with pytest.raises(NotAllowedError, match="outside of the networks"):
                await egress.request("GET", url)
    assert asked.asked == ["netbox.lan"] * 2
    assert receiver.connections == 1
    assert receiver.received[0].headers["host"] == f"netbox.lan:{receiver.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(status):
    async with (
        receiving() as inside,
        receiving(lambda _: answer(status, b"", Location=inside.url())) as receiver,
    ):
        hosts = listed(*(f"http://127.0.0.1:{each.port}=127.0.0.1" for each in (receiver, inside)))
        async with Egress(hosts) as egress:
            assert (await egress.request("GET", receiver.url())).status == status
    assert inside.connections == 0


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with Egress(listed(f"http://127.0.0.1:{receiver.port}=127.0.0.1")) as egress:
            assert (await egress.request("GET", receiver.url())).status == 204
    assert (proxy.connections, receiver.connections) == (0, 1)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ca")


def server_tls(place):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place / "cert.pem", place / "key.pem")
    return tls


async def test_the_certificate_has_to_be_for_the_name_that_was_asked(authority):
    place = authority.sign("netbox.lan", server=True)
    trusting = ssl.create_default_context(cafile=place / "ca.pem")
    async with receiving(tls=server_tls(place)) as receiver:
        hosts = listed(*(f"{name}.lan:{receiver.port}=127.0.0.1" for name in ("netbox", "other")))
        async with Egress(hosts, tls=trusting, resolve=resolving(["127.0.0.1"])) as egress:
            assert (await egress.request("GET", receiver.url("/", "netbox.lan"))).status == 204
            with pytest.raises(NotAnsweredError, match=r"other\.lan"):
                await egress.request("GET", receiver.url("/", "other.lan"))
        async with Egress(hosts, resolve=resolving(["127.0.0.1"])) as strict:
            with pytest.raises(NotAnsweredError, match=r"self-signed|unable to get local issuer"):
                await strict.request("GET", receiver.url("/", "netbox.lan"))
    assert len(receiver.received) == 1


def dripping(_):
    async def drip():
        await asyncio.sleep(30)
        return answer(200)

    return drip()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (lambda _: HANG, "within"),
        (dripping, "within"),
        (lambda _: RESET, "broke"),
        (lambda _: b"nonsense\r\n\r\n", "broke"),
        (lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour", "within|broke"),
        (lambda _: b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", "broke"),
        (lambda _: answer(200, b"a" * 2000), "longer than 1000 bytes"),
        (lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 2000, "longer"),
    ],
)
async def test_an_answer_that_does_not_end_well_is_no_answer(behaviour, reason):
    async with receiving(behaviour) as receiver:
        hosts = listed(f"http://127.0.0.1:{receiver.port}=127.0.0.1")
        # What breaks or is too long is told from what is late on a busy machine too.
        seconds = 0.2 if "within" in reason else 10
        async with Egress(hosts, seconds=seconds, max_answer=1000) as egress:
            with pytest.raises(NotAnsweredError, match=reason):
                await egress.request("GET", receiver.url())


async def test_a_slow_resolver_and_nobody_listening_are_no_answer():
    async def never(host, port):
        await asyncio.sleep(30)

    async with Egress(listed("hooks.example.com"), resolve=never, seconds=0.1) as egress:
        with pytest.raises(NotAnsweredError, match="within"):
            await egress.request("GET", "https://hooks.example.com/")
    async with receiving() as gone:
        pass
    async with Egress(listed(f"http://127.0.0.1:{gone.port}=127.0.0.1")) as egress:
        with pytest.raises(NotAnsweredError, match="could not connect"):
            await egress.request("GET", gone.url())


async def test_a_header_that_cannot_be_sent_is_refused_and_not_quoted():
    async with receiving() as receiver:
        hosts = listed(f"http://127.0.0.1:{receiver.port}=127.0.0.1")
        async with Egress(hosts) as egress:
            with pytest.raises(NotAllowedError) as refused:
                await egress.request("GET", receiver.url(), headers={"Authorization": "Token s3cr\net"})
    assert "s3cr" not in str(refused.value)


async def test_a_request_has_a_ceiling():
    async with Egress(listed("http://127.0.0.1=127.0.0.1")) as egress:
        with pytest.raises(NotAllowedError, match="bytes"):
            await egress.request("POST", "http://127.0.0.1/", body=b"a" * (MAX_SENT + 1))
