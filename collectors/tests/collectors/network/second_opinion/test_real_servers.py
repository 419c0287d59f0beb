"""Real servers of Python's own library, in plain and behind TLS, as what they are."""

import http.server
import ssl
import subprocess
import threading
from contextlib import contextmanager

import pytest

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.scan_profile import Patience
from discovery_collectors.collectors.network.second_opinion.opinion import SecondOpinion
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(context: ssl.SSLContext | None = None):
    """Serve on a free port, which is yielded."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def asked(number: int) -> Port:
    reported = []
    second = SecondOpinion(Patience(answer=3, port=20, host=30), PacketRate(None), reported.append)
    await second.ask(ADDRESS, [Port(number)], reported.append)
    return reported[-1]


async def test_a_web_server_names_itself():
    with served() as number:
        port = await asked(number)
    assert (port.name, port.product, port.version) == ("http", "SimpleHTTPServer", "0.6")
    assert port.probed
    assert not port.tls


@pytest.fixture
def secured(tmp_path):
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    issue = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=x"]
    subprocess.run([*issue, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_the_same_behind_tls(secured):
    with served(secured) as number:
        port = await asked(number)
    assert (port.name, port.product, port.tls) == ("http", "SimpleHTTPServer", True)
