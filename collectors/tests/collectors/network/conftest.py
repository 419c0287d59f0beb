import os
from dataclasses import replace
from functools import partial

import pytest
from faked_network import ON_UDP, SECOND_OPINIONS
from nmap_reports import install_nmap

from discovery_collectors.collectors.network import follow_up as network
from discovery_collectors.protocols.udp import NoAnswerError


@pytest.fixture
def asked_by_udp(monkeypatch):
    """Stand for the UDP ports of the network that the fake nmap reports."""
    asked = []

    async def ask(address, probe):
        asked.append((address, probe.port))
        if (address, probe.port) not in ON_UDP:
            raise NoAnswerError
        return ON_UDP[address, probe.port]

    monkeypatch.setattr(network, "ask", ask)
    yield asked
    ON_UDP.clear()


@pytest.fixture
def asked_again(monkeypatch):
    """Stand for the services that nmap leaves unnamed; the real questions have tests of their own."""
    asked = []

    class Opinion:
        def __init__(self, patience, rate, warn):
            pass

        async def ask(self, address, ports, on_port, **_):
            for each in ports:
                asked.append((address, each.number))
                if (address, each.number) in SECOND_OPINIONS:
                    on_port(replace(each, **SECOND_OPINIONS[address, each.number]))

        async def ask_once_more(self, address, ports, on_port, spared):
            pass

    monkeypatch.setattr(network, "SecondOpinion", Opinion)
    yield asked
    SECOND_OPINIONS.clear()


@pytest.fixture
def fake_nmap(tmp_path, monkeypatch):
    """Put an nmap first on the path that reports what it is given (`install_nmap`)."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return partial(install_nmap, tmp_path)
