import asyncio
import subprocess
import time
from pathlib import Path

import pytest

from dryrun_replica.verifying import questions
from dryrun_replica.verifying.container import Container

OPENSSL = """#!/bin/sh
read -r asked
printf 'HTTP/1.0 200 OK\\r\\n\\r\\n<title>%s</title>' "$asked"
"""


class Here(Container):
    """Runs on this machine what a stand-in would be asked."""

    async def ask(self, *command: str, text: str = "", root: bool = False) -> str:
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        return done.stdout


def test_a_page_behind_tls_is_read_until_its_server_ends_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "openssl"
    program.write_text(OPENSSL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    begun = time.monotonic()
    shown = asyncio.run(
        questions.shown(Here("", "", ""), [("web_app", ":8443/tcp")], 8443, ":8443/tcp", tls=True)
    )
    assert shown == {("web_app", ":8443/tcp"): {"title": "GET / HTTP/1.0"}}
    assert time.monotonic() - begun < 8


def test_pages_that_are_expected_elsewhere_are_asked_for_and_one_that_is_not_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "openssl"
    missing = OPENSSL.replace(
        "printf 'HTTP/1.0 200",
        "case $asked in */gone*) printf 'HTTP/1.0 404 No\\r\\n'; exit;; esac; printf 'HTTP/1.0 200",
    )
    program.write_text(missing)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    expected = [("web_app", f":8443/tcp{path}") for path in ("/.web", "/gone", "/$(id)")]
    shown = asyncio.run(questions.shown(Here("", "", ""), expected, 8443, ":8443/tcp", tls=True))
    assert shown == {
        ("web_app", ":8443/tcp"): {"title": "GET / HTTP/1.0"},
        ("web_app", ":8443/tcp/.web"): {"title": "GET /.web HTTP/1.0"},
    }


def test_what_a_server_says_first_is_heard_though_it_keeps_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(questions, "MOST_SECONDS", 0.5)

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"11.8.9-MariaDB")
        await reader.read()
        writer.close()

    async def heard() -> str:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await questions.answer(Here("", "", ""), port, tls=False)

    assert asyncio.run(heard()) == "11.8.9-MariaDB"
