"""The process as an operator runs it, in front of the real engine."""

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority

from docker_guard.commands import healthcheck
from docker_guard.main import main
from docker_guard.rules.allowlist import AllowlistReader
from docker_guard.rules.policy import Policy
from docker_guard.serve import ServeSettings, _serve
from docker_guard.sessions.deadline_keeper import DeadlineKeeper

PROGRAM = Path(sys.executable).parent / "docker-guard"
PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


@asynccontextmanager
async def serving(tmp_path, allowlist_file, listen, docker, *options):
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(str(PROGRAM), "serve", "--listen", listen, "--docker", docker),
            *("--allowlist", str(allowlist_file)),
            *options,
            stdout=out,
            stderr=out,
        )
    try:
        async with asyncio.timeout(20):
            while '"serving"' not in log.read_text():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield process, log
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def health(listen) -> int:
    return await asyncio.to_thread(main, ["healthcheck", "--listen", listen])


async def test_ends_by_sigterm_and_serves_before_its_engine_does(tmp_path, allowlist_file):
    listen = f"unix://{tmp_path / 'g.sock'}"
    nowhere = f"unix://{tmp_path / 'none.sock'}"
    async with serving(tmp_path, allowlist_file, listen, nowhere) as (process, log):
        assert await health(listen) == 1
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"serving", "sweep-failed", "decision", "ended"} <= {line["type"] for line in lines}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_until_its_end_do_not_change_how_it_ends(tmp_path, allowlist_file, number):
    nowhere = f"unix://{tmp_path / 'none.sock'}"
    async with serving(tmp_path, allowlist_file, f"unix://{tmp_path / 'g.sock'}", nowhere) as (process, log):
        async with asyncio.timeout(10):
            while process.returncode is None:
                with suppress(ProcessLookupError):
                    process.send_signal(number)
                await asyncio.sleep(0.0005)
        assert process.returncode == 0
    assert "Traceback" not in log.read_text()


async def test_tcp_requires_a_certificate_and_the_unix_socket_a_user(
    tmp_path, allowlist_file, unused_tcp_port
):
    authority = Authority(tmp_path / "ca")
    place, client = authority.sign("server", server=True), authority.sign("client")
    files = zip(("--tlscacert", "--tlscert", "--tlskey"), ("ca.pem", "cert.pem", "key.pem"), strict=True)
    tls = ["--tlsverify", *(word for option, name in files for word in (option, str(place / name)))]
    listen, nowhere = f"unix://{tmp_path / 'g.sock'}", f"unix://{tmp_path / 'none.sock'}"
    tcp = ("--listen", f"tcp://127.0.0.1:{unused_tcp_port}")
    async with serving(tmp_path, allowlist_file, listen, nowhere, *tcp, *tls) as (process, _):
        assert await health(listen) == 1  # it answers that the engine is away
        context = ssl.create_default_context(cafile=place / "ca.pem")
        context.load_cert_chain(client / "cert.pem", client / "key.pem")
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port, ssl=context)
        writer.write(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.engine
@pytest.mark.parametrize("listen", ["unix", "tcp"])
async def test_guards_the_real_engine(tmp_path, allowlist_file, listen, unused_tcp_port):
    address = f"unix://{tmp_path / 'g.sock'}" if listen == "unix" else f"tcp://127.0.0.1:{unused_tcp_port}"
    async with serving(tmp_path, allowlist_file, address, ENGINE):
        assert await health(address) == 0


def test_healthcheck_fails_without_a_guard(capsys):
    class Options:
        listen = "unix:///nowhere/guard.sock"

    assert healthcheck(Options()) == 1
    assert "nowhere" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_a_thousand_connections_may_wait_to_be_taken(tmp_path, allowlist_file, kind, unused_tcp_port):
    place: Any = str(tmp_path / "g.sock") if kind == "unix" else ("127.0.0.1", unused_tcp_port)
    listen = f"unix://{place}" if kind == "unix" else f"tcp://127.0.0.1:{unused_tcp_port}"
    async with serving(tmp_path, allowlist_file, listen, f"unix://{tmp_path / 'none.sock'}") as (process, _):
        process.send_signal(signal.SIGSTOP)
        with ExitStack() as exits:
            family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
            for _ in range(400):
                connection = exits.enter_context(socket.socket(family, socket.SOCK_STREAM))
                connection.settimeout(2)
                await asyncio.to_thread(connection.connect, place)
            process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_a_client_behind_a_crowd_waits_for_few_of_its_requests(
    tmp_path, allowlist_file, kind, unused_tcp_port
):
    place: Any = str(tmp_path / "g.sock") if kind == "unix" else ("127.0.0.1", unused_tcp_port)
    listen = f"unix://{place}" if kind == "unix" else f"tcp://127.0.0.1:{unused_tcp_port}"
    crowd, nowhere = 100, f"unix://{tmp_path / 'none.sock'}"
    async with serving(tmp_path, allowlist_file, listen, nowhere) as (process, log):
        process.send_signal(signal.SIGSTOP)
        with ExitStack() as exits:
            family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
            for request in (*[b"HEAD /x HTTP/1.1\r\nHost: d\r\n\r\n" * 200] * crowd, PING):
                connection = exits.enter_context(socket.socket(family, socket.SOCK_STREAM))
                connection.settimeout(20)
                connection.connect(place)
                connection.sendall(request)
            process.send_signal(signal.SIGCONT)
            await asyncio.to_thread(connection.recv, 1)
    decisions = [json.loads(line) for line in log.read_text().splitlines() if '"decision"' in line]
    paths = [decision["path"] for decision in decisions]
    assert paths.index("/_ping") < 20 * crowd


async def test_ends_when_nobody_keeps_deadlines_any_more(tmp_path, allowlist_file, monkeypatch):
    async def breaks(_: object) -> None:
        raise RuntimeError("the keeper broke")

    monkeypatch.setattr(DeadlineKeeper, "keep", breaks)
    policy = Policy()
    settings = ServeSettings(
        (f"unix://{tmp_path / 'g.sock'}",), f"unix://{tmp_path / 'none.sock'}", allowlist_file
    )
    with pytest.raises(RuntimeError, match="the keeper broke"):
        await asyncio.wait_for(_serve(settings, policy, AllowlistReader(allowlist_file, policy), None), 5)
