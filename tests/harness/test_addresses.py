"""The top-level conftest.py lets tests reach only this machine and the sessions' pool."""

import asyncio
import socket
import subprocess

import pytest

OUTSIDE = ["192.0.2.1", "10.214.0.1", "2001:db8::1"]


@pytest.mark.parametrize("address", OUTSIDE)
def test_no_connection_leaves_this_machine(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_DGRAM) as connection,
        pytest.raises(AssertionError, match="neither loopback"),
    ):
        connection.connect((address, 9))


@pytest.mark.parametrize("command", ["nmap", "/usr/bin/nmap", "discovery-collect"])
def test_no_scanner_is_started_on_another_network(command):
    with pytest.raises(AssertionError, match=r"192\.0\.2\.0/24"):
        subprocess.run([command, "-sn", "10.213.0.0/27,192.0.2.0/24"], check=False)


@pytest.mark.parametrize(
    "command",
    [
        ["bash", "-c", "python -m discovery_collectors network --targets 192.0.2.0/24 | head"],
        ["python", "-m", "discovery_collectors", "network", "--targets", "192.0.2.0/24"],
    ],
)
def test_no_collector_is_started_on_another_network(command):
    with pytest.raises(AssertionError, match=r"192\.0\.2\.0/24"):
        subprocess.run(command, check=False)


async def test_no_scanner_is_started_in_the_background_either():
    with pytest.raises(AssertionError, match=r"198\.51\.100\.7"):
        await asyncio.create_subprocess_exec("nmap", "198.51.100.7")


def test_loopback_is_allowed():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect(("127.0.0.1", 9))
        assert connection.getpeername() == ("127.0.0.1", 9)
