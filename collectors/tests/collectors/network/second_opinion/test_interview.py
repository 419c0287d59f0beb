"""What each kind of service is asked, against small servers that answer as the real ones do (measured)."""

import asyncio
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from contextlib import suppress

import pytest
from asking import ask, speaking
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion import protocol_bytes, protocol_questions
from discovery_collectors.collectors.network.second_opinion.exchange import ANSWER_BYTES
from discovery_collectors.collectors.network.second_opinion.findings import Finding, improved

REDIS = b"$90\r\n# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n\r\n"
BIND = bytes.fromhex(
    "00374a4a840000010001000000000776657273696f6e0462696e640000100003c00c0010000300000000000d0c"
)
MONGODB = b"\x60\0\0\0\1\0\0\0\1\0\0\0\xdd\x07\0\0\0\0\0\0\0\x4b\0\0\0\x02version\0\x07\0\0\0008.0.4\0"


POSTGRESQL = b"E\0\0\0\x20SFATAL\0Mno PostgreSQL user\0\0"


@pytest.mark.parametrize(
    ("is_whole", "answer"),
    [
        (protocol_bytes.is_whole_redis, b"$4\r\na:1\n\r\n"),
        (protocol_bytes.is_whole_redis, b"-NOAUTH Authentication required.\r\n"),
        (protocol_bytes.is_whole_postgresql, POSTGRESQL),
        (protocol_bytes.is_whole_mongodb, MONGODB.ljust(0x60, b"\0")),
    ],
)
def test_an_answer_is_whole_with_its_last_byte(is_whole, answer):
    assert [is_whole(answer[:length]) for length in range(len(answer) + 1)] == [False] * len(answer) + [True]


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        (b"INFO server", REDIS, ("redis", "Valkey", "8.1.1")),
        (b"INFO server", b"-NOAUTH Authentication required.\r\n", ("redis", "Redis key-value store", "")),
        (b"version\r\n", b"VERSION 1.6.38\r\n", ("memcached", "Memcached", "1.6.38")),
        (b"version\r\n", b"OK 1.1.21\n", ("gearman", "Gearman Job Queue System", "1.1.21")),
        (
            b"\0\0\0\x09\0\x03\0\0\0",
            b"E\0\0\0)SFATAL\0C08P01\0Mno username supplied\0\0",
            ("postgresql", "PgFoundry PgBouncer PostgreSQL connection pooler", ""),
        ),
        (
            b"\0\0\0\x09\0\x03\0\0\0",
            b"E\0\0\0}SFATAL\0VFATAL\0C28000\0Mno PostgreSQL user name specified in startup packet\0\0",
            ("postgresql", "PostgreSQL DB", ""),
        ),
        (b"\x38\0\0\0", MONGODB, ("mongodb", "MongoDB", "8.0.4")),
        (b"\0\x1eJJ", BIND + b"dnsmasq-2.91", ("domain", "dnsmasq", "2.91")),
        (b"srvr", b"Zookeeper version: 3.9.3-${commit}, built on", ("zookeeper", "Zookeeper", "3.9.3")),
        (b"ZBXD\x01", b"ZBXD\x01\x06\0\0\0\0\0\0\x007.0.22", ("zabbix", "Zabbix agent", "7.0.22")),
        (b"001dgit-upload-pack /\0", b"0045ERR access denied or", ("git", "git-daemon", "")),
        (
            b"OPTIONS sip:",
            b"SIP/2.0 483 Too Many Hops\r\nServer: kamailio (6.0.1 (x86_64/linux))\r\n\r\n",
            ("sip", "Kamailio sipd", "6.0.1"),
        ),
        (
            b"\0\1\0\0\x21\x12\xa4\x42",
            b"\1\1\0\x18!\x12\xa4Bdiscovery001\x80\x22\0\x14Coturn-4.6.1 'Gorst'",
            ("stun", "Coturn", "4.6.1"),
        ),
        (b"\0\0\0\1\0\0\0\x13", b"\0\0\0\x5c" + bytes(16), ("firebird", "Firebird RDBMS", "")),
        (b"\0\1n", b"\0\0\x11\x11name rabbit at port 25672\n", ("epmd", "Erlang Port Mapper Daemon", "")),
    ],
)  # fmt: skip
async def test_a_protocol_is_known_by_the_answer_to_its_own_question(question, answer, expected):
    async with listening(speaking(question, answer)) as number:
        found = await ask(number)
    assert (found.name, found.product, found.version) == expected


@pytest.mark.parametrize(
    ("banner", "expected"),
    [
        (b'INFO {"server_id":"NA","version":"2.10.27"} \r\n', ("nats", "NATS server", "2.10.27")),
        (b"Tarantool 2.6.0 (Binary) 1f8a\n", ("tarantool", "Tarantool", "2.6.0")),
        (b"@RSYNCD: 32.0 sha512\n", ("rsync", "rsync", "")),
        (b"SSH-2.0-dropbear_2025.89\r\n", ("ssh", "Dropbear sshd", "2025.89")),
        (b"SSH-2.0-rclone/v1.60.1-DEV\r\n", ("ssh", "rclone", "1.60.1-DEV")),
        (b"\x5a\0\0\0\x0a11.8.3-MariaDB-0+deb13u1\0\x07", ("mysql", "MariaDB", "11.8.3-MariaDB-0+deb13u1")),
        (b"220 mail.example ESMTP Postfix (Debian)\r\n", ("smtp", "Postfix smtpd", "")),
        (b"\xff\xfb%\xff\xfd\x18\xff\xfd \xff\xfd#\xff\xfd'", ("telnet", "BSD-derived telnetd", "")),
        (b"\0\0\x18\x04\0\0\0\0\0\0\x05\0\x10\0\0", ("http2", "", "")),
        (bytes.fromhex("000012 0400 00000000 0004003fffff 0005003fffff fe0300000001"), ("grpc", "gRPC", "")),
        (bytes.fromhex("000012 0400 00000000 0004003fffff 0005003fffff fe0400000001"), ("http2", "", "")),
    ],
)  # fmt: skip
async def test_a_banner_is_read_whatever_was_asked(banner, expected):
    async with listening(speaking(b"", banner)) as number:
        found = await ask(number)
    assert (found.name, found.product, found.version) == expected


async def echo(reader, writer):
    try:
        while said := await reader.read(4096):
            writer.write(said)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def test_an_echo_is_no_service():
    async with listening(echo) as number:
        assert await ask(number) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"RTSP/1.0 400 Bad Request\r\nServer: GStreamer/1.26\r\n\r\n", ("rtsp", "GStreamer", "1.26")),
        (
            b"SIP/2.0 400 Bad Request\r\nServer: kamailio (6.0.1 (x))\r\n\r\n",
            ("sip", "Kamailio sipd", "6.0.1"),
        ),
    ],
)
async def test_a_status_line_of_another_protocol_is_not_http(answer, expected):
    async with listening(speaking(b"", answer)) as number:
        found = await ask(number)
    assert (found.name, found.product, found.version) == expected


@pytest.mark.parametrize(
    ("name", "probed", "kept"),
    [("imap", True, "imap"), ("imap", False, "ssl"), ("unknown", True, "ssl"), ("", True, "ssl")],
)
def test_tls_alone_does_not_replace_the_protocol_that_nmap_heard(name, probed, kept):
    reported = improved(Port(993, name, probed=probed, confidence=3), Finding("ssl", tls=True))
    assert (reported.name, reported.tls) == (kept, True)


def test_a_product_known_by_its_certificate_replaces_it():
    reported = improved(Port(8443, "http", probed=True), Finding("ssl", "UniFi Network", tls=True))
    assert (reported.name, reported.product) == ("ssl", "UniFi Network")


async def test_what_nmap_knows_the_protocol_of_is_asked_in_it_first():
    received = bytearray()
    async with listening(speaking(b"srvr", b"Zookeeper version: 3.9.3", received)) as number:
        found = await ask(number, Port(number, "zookeeper", probed=True), seconds=3)
    assert (found.product, bytes(received)) == ("Zookeeper", b"srvr")


async def test_a_protocol_that_carries_others_is_asked_for_the_ports_own_as_well(monkeypatch):
    listed = b"\x80\0\1\x88disc\0\0\0\1" + bytes(40) + b"\0\0\0\1\0\0\0\7GF-DUMP\0"
    async with listening(speaking(protocol_bytes.GLUSTER, listed)) as number:
        gluster = protocol_questions.named("glusterd")
        monkeypatch.setattr(protocol_questions, "meant_for", lambda port: [gluster])
        found = await ask(number, Port(number, "rpcbind", probed=True), answer=0.3)
    assert found == Finding("glusterd", "GlusterFS")


async def test_a_port_is_first_asked_what_it_is_meant_for(monkeypatch):
    received = bytearray()
    async with listening(speaking(b"ZBXD", b"ZBXD\x01\x06\0\0\0\0\0\0\x007.0.22", received)) as number:
        zabbix = protocol_questions.named("zabbix")
        monkeypatch.setattr(protocol_questions, "meant_for", lambda port: [zabbix])
        found = await ask(number)
    assert (found.product, found.version) == ("Zabbix agent", "7.0.22")
    assert received.startswith(b"ZBXD")
    assert b"GET" not in received


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """Return what makes a server's context with a certificate for a name."""

    def issue(name: str) -> ssl.SSLContext:
        folder = tmp_path_factory.mktemp("certificate")
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3"]
        words += ["-subj", f"/CN={name}", "-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
        subprocess.run(words, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate", folder / "key")
        return context

    return issue


@pytest.mark.parametrize(
    ("name", "serve", "expected"),
    [
        ("x", speaking(b"GET /", b"HTTP/1.1 200 OK\r\nServer: x/1.26\r\n\r\n"), ("http", "x", "1.26")),
        ("x", speaking(b"INFO server", REDIS), ("redis", "Valkey", "8.1.1")),
        ("x", speaking(b"never asked", b""), ("ssl", "", "")),
    ],
)  # fmt: skip
async def test_behind_tls_a_service_is_asked_the_same(secured, name, serve, expected):
    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secured(name))
    async with listener:
        found = await ask(listener.sockets[0].getsockname()[1])
    assert (found.name, found.product, found.version, found.tls) == (*expected, True)


def test_postgresql_that_takes_tls_at_once_and_then_nothing_is_asked_without(secured):
    class Postgresql17(socketserver.BaseRequestHandler):
        def handle(self):
            if self.request.recv(1, socket.MSG_PEEK) == b"\x16":
                with suppress(OSError):
                    secured("x").wrap_socket(self.request, server_side=True).close()
            elif self.request.recv(64).startswith(b"\0\0\0\x09\0\3"):
                self.request.sendall(b"E\0\0\0\x28SFATAL\0Mno PostgreSQL user name\0\0")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Postgresql17) as server:
        threading.Thread(target=server.serve_forever).start()
        found = asyncio.run(ask(server.server_address[1]))
        server.shutdown()
    assert found == Finding("postgresql", "PostgreSQL DB")


async def test_what_speaks_tls_without_a_certificate_is_asked_for_nrpes_version():
    anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    anonymous.maximum_version = ssl.TLSVersion.TLSv1_2
    anonymous.set_ciphers("aNULL:@SECLEVEL=0")
    reply = b"\0\2\0\2\x12\x34\x56\x78\0\0NRPE v4.1.3".ljust(1036, b"\0")
    serve = speaking(protocol_bytes.nrpe(), reply)
    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=anonymous)
    async with listener:
        number = listener.sockets[0].getsockname()[1]
        found = await ask(number, Port(number, "ssl", probed=True, tls=True))
    assert found == Finding("nrpe", "Nagios NRPE", "4.1.3", tls=True)


async def test_a_certificate_of_the_products_own_ends_the_questions(secured):
    connections = []

    async def hang_up(reader, writer):
        connections.append(1)
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=secured("syncthing"))
    async with listener:
        found = await ask(listener.sockets[0].getsockname()[1])
    assert (found.name, found.product, found.tls) == ("bep", "Syncthing", True)
    assert len(connections) == 1


HUGE = b"A" * (2 * ANSWER_BYTES)


async def endless(reader, writer):
    try:
        while True:
            writer.write(b"\x1b[2J<script>alert(1)</script>" * 1000)
            await writer.drain()
    except ConnectionError:
        writer.close()


async def drop_by_drop(reader, writer):
    try:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)
    except ConnectionError:
        writer.close()


async def redirecting(reader, writer):
    await reader.read(4096)
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    "serve",
    [
        endless,
        drop_by_drop,
        redirecting,
        speaking(b"", HUGE),
        speaking(b"", b"HTTP/1.1 200 OK\r\nServer: " + HUGE + b"\r\n\r\n"),
        speaking(b"", b"HTTP/1.1 200 OK\r\n" + b"".join(b"h%d: x\r\n" % n for n in range(9000)) + b"\r\n"),
        speaking(b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nA\r\n" * 12000),
        speaking(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"[" * 60000),
        speaking(b"", b"HTTP/1.1 200 OK\r\n\r\n" + b"<title" * 9000 + b"<meta " * 9000),
        speaking(b"", b'HTTP/1.1 200 OK\r\n\r\n{"version":' * 3000),
        speaking(b"", b"x_build_info{" * 5000),
        speaking(b"", b"INFO {" + b'"server_id' * 6000),
    ],
)
async def test_whatever_a_hostile_service_does_it_costs_bounded_time_and_names_nothing_odd(serve):
    began = time.monotonic()
    async with listening(serve) as number:
        found = await ask(number, answer=0.3, seconds=2)
        port = improved(Port(number), found) if found else None
    assert time.monotonic() - began < 6
    if port is not None:
        for text in (port.product, port.version, port.extra):
            assert len(text) <= 100
            assert text.isprintable()


async def test_what_a_service_calls_itself_is_cut_and_without_controls():
    port = Port(80)
    reported = improved(port, Finding("http", "\x1b[31mEvil\r\n" + "x" * 500, "1.0\0"))
    assert reported.product.startswith("[31mEvil xxx")
    assert len(reported.product) <= 100
    assert reported.version == "1.0"


async def test_a_name_from_the_port_table_alone_becomes_no_product():
    async with listening(speaking(b"never asked", b"")) as number:
        found = await ask(number, Port(number, "redis", probed=False), answer=0.2, seconds=1)
    assert found is None


async def test_what_speaks_first_is_heard_where_a_question_breaks_the_connection():
    async def serve(reader, writer):
        try:
            await asyncio.wait_for(reader.read(1), 0.1)
            writer.transport.abort()
        except TimeoutError:
            writer.write(b"NBDMAGICIHAVEOPT\0\3")
            await writer.drain()
            await reader.read(1)
            writer.close()

    async with listening(serve) as number:
        assert await ask(number) == Finding("nbd", "Network Block Device server")


async def test_one_of_the_many_that_speak_postgresqls_protocol_is_not_called_postgresql():
    refusal = b"E\0\0\x003SFATAL\0C08006\0MTarget database not identified\0\0"
    async with listening(speaking(b"\0\0\0\x09\0\3", refusal)) as number:
        nmaps = Port(number, "postgresql", probed=True, product="PostgreSQL DB", cpes=("cpe:/a:postgresql",))
        reported = improved(nmaps, await ask(number, nmaps, answer=0.2, seconds=2))
    assert (reported.name, reported.product, reported.extra, reported.cpes) == ("postgresql", "", "", ())


async def test_it_is_asked_further_and_heard_when_it_speaks_after_all():
    async def serve(reader, writer):
        try:
            said = await asyncio.wait_for(reader.read(64), 0.2)
            if said.startswith(b"\0\0\0\x09\0\3"):
                writer.write(b"E\0\0\x003SFATAL\0C08006\0MTarget database not identified\0\0")
        except TimeoutError:
            writer.write(b"HSQLDB JDBC Network Listener.\nUse JDBC driver with")
        await writer.drain()
        writer.close()

    async with listening(serve) as number:
        nmaps = Port(number, "postgresql", probed=True, product="PostgreSQL DB")
        reported = improved(nmaps, await ask(number, nmaps))
    assert (reported.name, reported.product) == ("jdbc", "HSQLDB JDBC")


async def test_a_handshake_of_four_bytes_is_no_port_mapper():
    async with listening(speaking(b"\0\1n", b"\0\0\0\1")) as number:
        found = await ask(number, answer=0.2, seconds=2)
    assert found is None or found.name != "epmd"


@pytest.mark.parametrize(
    ("answer", "product"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n<title>Node Exporter</title><a href='/metrics'>", "Node Exporter"),
        (b"", None),
        (b"@PJL INFO STATUS\r\n", None),
    ],
)
async def test_where_a_printer_may_be_one_page_is_requested_unless_that_is_answered(answer, product):
    received = []

    async def serve(reader, writer):
        received.append(await reader.read(4096))
        writer.write(answer)
        with suppress(ConnectionError):
            await writer.drain()
            await asyncio.wait_for(reader.read(4096), 2)
        writer.close()

    async with listening(serve) as number:
        found = await ask(number, Port(9100))
    assert received[0] == b"GET / HTTP/1.0\r\n\r\n"
    if product is None:
        assert found is None
        assert len(received) == 1
    else:
        assert found.product == f"Prometheus exporter {product}"
