"""The host that records credentials: real clients believe it, a login is one line, none holds a secret."""

import asyncio
import base64
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from discovery_collectors.collectors.database.engines import load_engine
from discovery_collectors.collectors.database.login import LoginRefusedError
from discovery_collectors.collectors.database.service_report import DatabaseService
from discovery_collectors.running.scope import ScopedAddress
from dryrun_contract.collector_config import Credential

FOLDER = Path(__file__).parents[2] / "images" / "credential-recorder"
HERE = "127.0.0.1"
SECRET = "CANARY-offered-4d8e02"
USER = "inventory_reader"
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); import server; server.run(int(sys.argv[2]))"


def offset() -> int:
    """Each worker has ports of its own, all below those that the kernel gives to outgoing connections."""
    # Not a constant: workers that are forks have this module from before they have a name.
    return 2_000 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@dataclass
class Recorder:
    """The program on ports of its own, with every line that it wrote."""

    process: subprocess.Popen[str]

    def offered(self) -> list[str]:
        """End it and return its lines about credentials."""
        self.process.terminate()
        said, complaints = self.process.communicate(timeout=10)
        assert complaints == ""
        assert SECRET not in said
        assert base64.b64encode(SECRET.encode()).decode() not in said
        pattern = yaml.safe_load((FOLDER / "image.yml").read_text())["log_patterns"]["credentials_shown"]
        return [line for line in said.splitlines() if re.search(pattern, line)]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    command = [sys.executable, "-BISs", "-c", _RUN, str(FOLDER / "recorder"), str(offset())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Recorder(process)
        process.kill()


def ask(port: int, *questions: bytes) -> bytes:
    """Say each in turn and return the last answer."""
    answer = b""
    with socket.create_connection((HERE, port + offset()), 5) as connection:
        for question in questions:
            connection.sendall(question)
            answer = connection.recv(4096)
    return answer


def ask_agent(community: bytes) -> None:
    """Ask by SNMPv2c, and return once it was read."""
    content = b"\x02\x01\x01\x04" + bytes([len(community)]) + community + b"\xa0\x00"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.sendto(b"\x30" + bytes([len(content)]) + content, (HERE, 161 + offset()))
        # An agent that answered has read what came before.
        agent.settimeout(5)
        agent.sendto(SNMP_V3_DISCOVERY, (HERE, 161 + offset()))
        assert b"records" in agent.recv(1024)


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "mongodb", "redis"])
async def test_a_client_of_a_database_is_refused_and_recorded(recorder: Recorder, engine: str) -> None:
    ports = {"postgresql": 5432, "mysql": 3306, "mongodb": 27017, "redis": 6379}
    service = DatabaseService(ScopedAddress(HERE), ports[engine] + offset(), engine, certain=True)
    credential = Credential(engine=engine, username=USER, password=SECRET, at=(HERE,))
    async with asyncio.timeout(20):
        with pytest.raises(LoginRefusedError):
            await load_engine(engine).open(service, credential)
    (line,) = recorder.offered()
    assert line.startswith(f"credential offered by {HERE}: {engine}, user '{USER}', ")


async def test_whoever_offers_nothing_is_not_recorded(recorder: Recorder) -> None:
    assert ask(6379, b"PING\r\n").startswith(b"-NOAUTH")
    assert b"WWW-Authenticate: Basic" in ask(8080, b"GET / HTTP/1.0\r\n\r\n")
    assert ask(389, bytes.fromhex("300c020101600702010304008000"))[-7:] == bytes.fromhex("0a010004000400")
    assert ask(5432, b"GET / HTTP/1.0\r\n\r\n") == b""
    ask(27017, b"\x10\0\0\0" + bytes(12))
    ask_agent(b"public")
    assert recorder.offered() == []


def test_a_simple_bind_basic_authentication_and_a_community_are_recorded(recorder: Recorder) -> None:
    secret = SECRET.encode()
    bind = b"\x02\x01\x03" + b"\x04\x02cn" + b"\x80" + bytes([len(secret)]) + secret
    request = b"\x02\x01\x01" + b"\x60" + bytes([len(bind)]) + bind
    assert b"\x0a\x01\x31" in ask(389, b"\x30" + bytes([len(request)]) + request)
    login = base64.b64encode(f"{USER}:{SECRET}".encode())
    ask(8080, b"GET / HTTP/1.0\r\nAuthorization: Basic " + login + b"\r\n\r\n")
    ask_agent(secret)
    assert recorder.offered() == [
        f"credential offered by {HERE}: ldap, user 'cn', the password",
        f"credential offered by {HERE}: http, user '{USER}', the password",
        f"credential offered by {HERE}: snmp, user '', a community",
    ]


@pytest.mark.parametrize("login", [SECRET, f"{SECRET}:", f":{SECRET}"])
def test_a_token_in_the_place_of_a_user_is_not_written_down(recorder: Recorder, login: str) -> None:
    token = base64.b64encode(login.encode())
    ask(8080, b"GET / HTTP/1.0\r\nAuthorization: Basic " + token + b"\r\n\r\n")
    assert recorder.offered() == [f"credential offered by {HERE}: http, user '', the password"]


SNMP_V3_DISCOVERY = bytes.fromhex(
    "303e020103301102044a69607d020300ffe30401040201030410300e0400020100020100040004000400"
    "301404000400a00e02044a69607d0201000201003000"
)


def test_a_client_cannot_write_lines_of_its_own(recorder: Recorder) -> None:
    user = b"x\r\ncredential offered by 10.213.0.9: redis, user 'somebody'\x1b[2J" + b"A" * 500
    ask(6379, b"*3\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n$1\r\ny\r\n" % (len(user), user))
    (line,) = recorder.offered()
    assert line.startswith(f"credential offered by {HERE}: redis, user 'x??credential offered by 10.213.0.9")
    assert len(line) < 200
    assert line.isprintable()


@pytest.mark.parametrize("port", [389, 3306, 5432, 6379, 8080, 27017])
def test_garbage_ends_its_own_connection_only(recorder: Recorder, port: int) -> None:
    for garbage in (b"\xff" * 5000, b"\0" * 64, b"*99999999\r\n", b"\x30\x84\xff\xff\xff\xff", b"\n"):
        with socket.create_connection((HERE, port + offset()), 5) as connection:
            connection.sendall(garbage)
    assert ask(6379, b"AUTH x\r\n").startswith(b"-WRONGPASS")
    assert len(recorder.offered()) == 1
