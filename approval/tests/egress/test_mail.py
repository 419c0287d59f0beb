"""A mail server says what it likes for as long as it likes: it costs bounded memory, time and threads."""

import asyncio
import ssl
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from certificates import Authority
from smtp_server import smtp_server

from approval_api.egress import mail
from approval_api.egress.client import NotAnsweredError
from approval_api.egress.hosts import NotAllowedError
from approval_api.egress.mail import MailServer

CLEAR = ssl.create_default_context()


async def lines_without_end(writer, line=b"250-more\r\n", pause=0.0):
    while True:
        writer.write(line)
        await writer.drain()
        await asyncio.sleep(pause)


async def flood(_, writer):
    writer.write(b"220 here\r\n")
    await lines_without_end(writer, b"250-" + b"x" * 4000 + b"\r\n")


async def greet_without_end(_, writer):
    await lines_without_end(writer, b"220-" + b"x" * 4000 + b"\r\n")


async def drip_lines(_, writer):
    writer.write(b"220 here\r\n")
    await lines_without_end(writer, pause=0.05)


async def drip_one_line(_, writer):
    await lines_without_end(writer, b"2", pause=0.05)


async def say_nothing(_, writer):
    await writer.wait_closed()


async def flood_after_starttls(reader, writer, tls):
    writer.write(b"220 here\r\n")
    await reader.readline()
    writer.write(b"250-here\r\n250 STARTTLS\r\n")
    await reader.readline()
    writer.write(b"220 go ahead\r\n")
    await writer.start_tls(tls)
    await flood(reader, writer)


@asynccontextmanager
async def serving(behaviour):
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        try:
            await behaviour(reader, writer)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1], connections
    finally:
        listening.close()
        listening.close_clients()


async def to_loopback(_host, _port):
    return ["127.0.0.1"]


def made(entry, trusting=CLEAR):
    where, networks = MailServer.parse(entry)
    return MailServer(where, networks, "discovery@example.com", None, trusting, resolve=to_loopback)


async def send(server):
    await server.send(to="ada@example.com", subject="s", text="t", message_id="1")


async def require_ended(server):
    """Require that no thread of the server talks any more."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(1):
        await asyncio.gather(*(loop.run_in_executor(server.threads, time.sleep, 0.01) for _ in range(8)))


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(mail, "WHOLE_SECONDS", 0.6)


@pytest.mark.parametrize("behaviour", [flood, greet_without_end, drip_lines, drip_one_line, say_nothing])
async def test_whatever_a_server_says_a_mail_ends_with_its_thread(behaviour):
    async with serving(behaviour) as (port, _):
        server = made(f"http://127.0.0.1:{port}=127.0.0.1")
        begun = time.monotonic()
        with pytest.raises(NotAnsweredError, match="no whole answer"):
            await send(server)
        assert time.monotonic() - begun < 3
        await require_ended(server)


@pytest.mark.parametrize("behaviour", [flood, greet_without_end])
async def test_what_a_server_says_is_bounded_in_bytes(monkeypatch, behaviour):
    monkeypatch.setattr(mail, "WHOLE_SECONDS", 30.0)
    async with serving(behaviour) as (port, _):
        server = made(f"http://127.0.0.1:{port}=127.0.0.1")
        async with asyncio.timeout(3):
            with pytest.raises(NotAnsweredError, match="no whole answer"):
                await send(server)
        await require_ended(server)


@pytest.mark.parametrize("answer", ["250 fine", "421 busy", "500 what?", "nonsense", None])
async def test_a_mail_that_was_accepted_is_sent_whatever_quit_is_answered(answer):
    async with smtp_server(quit_answer=answer) as listening:
        server = made(f"http://127.0.0.1:{listening.port}=127.0.0.1")
        await send(server)
        assert len(listening.mails) == 1
        await require_ended(server)


@pytest.mark.parametrize(("code", "refusal"), [(550, NotAllowedError), (450, NotAnsweredError)])
async def test_an_answer_to_quit_does_not_replace_a_refusal(code, refusal):
    async with smtp_server(recipient_code=code, quit_answer="250 fine") as listening:
        with pytest.raises(refusal, match=rf"refuses the address \({code}\)"):
            await send(made(f"http://127.0.0.1:{listening.port}=127.0.0.1"))


async def test_the_bounds_hold_after_starttls(tmp_path, monkeypatch):
    monkeypatch.setattr(mail, "WHOLE_SECONDS", 30.0)
    place = Authority(tmp_path / "ca").sign("mail.lan", server=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place / "cert.pem", place / "key.pem")
    trusting = ssl.create_default_context(cafile=place / "ca.pem")
    async with serving(lambda *streams: flood_after_starttls(*streams, tls)) as (port, _):
        server = made(f"mail.lan:{port}=127.0.0.1", trusting)
        async with asyncio.timeout(3):
            with pytest.raises(NotAnsweredError, match="no whole answer"):
                await send(server)
        await require_ended(server)


async def test_slow_mails_keep_nobody_from_resolving_names(monkeypatch):
    """Names are resolved by the loop's threads, whatever they are resolved for."""
    monkeypatch.setattr(mail, "WHOLE_SECONDS", 2.0)
    async with serving(drip_lines) as (port, connections):
        server = made(f"http://127.0.0.1:{port}=127.0.0.1")
        mails = [asyncio.ensure_future(send(server)) for _ in range(40)]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(1):
            await asyncio.get_running_loop().getaddrinfo("localhost", 25)
        assert len(connections) <= 4
        for each in mails:
            each.cancel()
        await asyncio.gather(*mails, return_exceptions=True)


async def test_a_mail_that_waited_too_long_for_others_is_not_sent_after_its_caller_gave_up():
    async with smtp_server() as listening:
        server = made(f"http://127.0.0.1:{listening.port}=127.0.0.1")
        for _ in range(8):
            server.threads.submit(time.sleep, 0.4)
        with pytest.raises(NotAnsweredError, match="no whole answer"):
            await send(server)
        await require_ended(server)
        assert listening.mails == []
        await send(server)
        assert len(listening.mails) == 1


async def test_an_address_that_does_not_accept_leaves_the_mail_to_the_next():
    async def to_two(_host, _port):
        return ["127.0.0.2", "127.0.0.1"]

    async with smtp_server() as listening:
        server = made(f"http://127.0.0.1:{listening.port}=127.0.0.0/30")
        await send(replace(server, resolve=to_two))
        assert len(listening.mails) == 1


async def test_one_address_that_is_not_allowed_keeps_the_mail_from_all():
    async def to_two(_host, _port):
        return ["127.0.0.1", "127.0.0.2"]

    async with smtp_server() as listening:
        server = made(f"http://127.0.0.1:{listening.port}=127.0.0.1")
        with pytest.raises(NotAllowedError):
            await send(replace(server, resolve=to_two))
        assert listening.mails == []
