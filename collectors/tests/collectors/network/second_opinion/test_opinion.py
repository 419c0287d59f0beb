import asyncio

import pytest
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.scan_profile import Patience
from discovery_collectors.collectors.network.second_opinion import opinion, protocol_questions
from discovery_collectors.collectors.network.second_opinion.opinion import SecondOpinion
from discovery_collectors.collectors.network.second_opinion.products import is_settled
from discovery_collectors.collectors.network.spared_ports import may_write
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")
PATIENCE = Patience(answer=0.5, port=3, host=10)


def page(body: str, *headers: str, status="200 OK") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"])
    return f"{head}\r\n\r\n{body}".encode()


def serving(pages: dict[str, bytes], asked: list[str] | None = None):
    """Serve pages by their paths; anything else is Go's 404."""

    async def serve(reader, writer):
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        if asked is not None:
            asked.append(path)
        writer.write(pages.get(path) or page("404 page not found\n", status="404 Not Found"))
        await writer.drain()
        writer.close()

    return serve


async def opinions(ports, *, patience=PATIENCE, rate=None, open_ports=None):
    reported, warnings = {}, []
    second = SecondOpinion(patience, PacketRate(rate), warnings.append)
    await second.ask(
        ADDRESS, ports, lambda port: reported.__setitem__(port.number, port), open_ports=open_ports
    )
    return reported, warnings


async def test_a_page_names_its_product_and_another_states_the_version():
    asked = []
    pages = {
        "/": page("", "Location: /query", status="302 Found"),
        "/query": page("<title>Prometheus Time Series Collection and Processing Server</title>"),
        "/api/v1/status/buildinfo": page('{"status":"success","data":{"version":"2.53.3"}}'),
    }
    async with listening(serving(pages, asked)) as number:
        go = Port(number, "http", probed=True, confidence=10, product="Golang net/http server")
        reported, _ = await opinions([go])
    assert (reported[number].product, reported[number].version) == ("Prometheus", "2.53.3")
    assert asked == ["/", "/query", "/api/v1/status/buildinfo"]


async def test_what_nmap_named_is_not_asked():
    asked = []
    async with listening(serving({}, asked)) as number:
        reported, _ = await opinions([Port(number, "http", probed=True, product="nginx", version="1.26.3")])
    assert (reported, asked) == ({}, [])


@pytest.mark.parametrize(
    ("port", "settled"),
    [
        (Port(80, "http", probed=True, product="nginx", version="1.26.3"), True),
        (Port(80, "http", probed=True, product="Apache httpd"), True),
        (Port(80, "http", product="nginx"), False),
        (Port(80, "http", probed=True), False),
        (Port(80, "tcpwrapped", probed=True), False),
        (Port(80, "http", probed=True, product="Golang net/http server"), False),
        (Port(5432, "postgresql", probed=True, product="PostgreSQL DB", version="9.6.0 or later"), True),
        (Port(5432, "postgresql", probed=True, product="PostgreSQL DB"), False),
        (Port(8080, "http", probed=True, product="Apache Tomcat"), False),
        (Port(3493, "nut", probed=True, product="Network UPS Tools upsd"), False),
        (Port(6379, "redis", probed=True, product="Redis key-value store", version="7.2.4"), False),
        (Port(5900, "vnc", probed=True, product="VNC"), False),
        (Port(5347, "jabber", probed=True, product="Jabber instant messaging server"), False),
        (Port(113, "ident", probed=True, product="Liedentd"), False),
        (Port(135, "msrpc", probed=True, product="Microsoft Windows RPC"), False),
        (Port(5060, "sip", probed=True, product="kamailio (6.0.1 (x86_64/linux))"), False),
        (Port(5060, "sip", probed=True, product="SIP proxy", version="1.0"), True),
    ],
)
def test_nmaps_word_holds_where_it_names_a_product_of_its_own(port, settled):
    assert is_settled(port) is settled


@pytest.mark.parametrize(
    ("number", "open_ports", "products", "may"),
    [
        (1704, (), (), False),
        (1705, (), (), False),
        (4532, (), (), False),
        (4533, (), (), False),
        (4534, (), (), True),
        (4711, (), (), True),
        (4712, (), (), False),
        (4713, (), (), True),
        (6816, (), (), True),
        (6817, (), (), False),
        (6819, (), (), False),
        (6820, (), (), True),
        (4534, None, (), True),
        (9104, None, ("PostgreSQL DB",), False),
        (9104, (9104,), (), True),
        (9104, (515,), ("PostgreSQL DB",), False),
        (9104, (631,), ("PostgreSQL DB",), False),
        (9100, None, ("PostgreSQL DB",), False),
        (9100, (9100,), (), False),
        (9100, (9100,), ("OpenSSH", "Apache httpd", "CUPS", "", "Redis", "a PostgreSQL DB"), False),
        (9100, (9100,), ("OpenSSH", "Prometheus exporter MySQL"), True),
        (9100, (9100,), ("OpenStack Nova",), True),
        (9100, (9100,), ("ProxySQL",), True),
        (9100, (9100,), ("pgagroal",), True),
        (9100, (9100,), ("Corosync QNet daemon",), True),
        (9100, (9100,), ("mosquitto", "rpcbind", "Samba smbd", "A site on OpenStack"), False),
        (9100, (9100, 515), ("Prometheus",), False),
        (80, (515,), (), True),
    ],
)
def test_nothing_is_written_where_it_would_be_printed(number, open_ports, products, may):
    assert may_write(number, open_ports, products) is may


async def test_a_host_that_gives_nothing_away_is_left_alone_and_that_is_said():
    connections = []

    async def slam(reader, writer):
        connections.append(1)
        writer.close()

    async with listening(slam) as number:
        reported, warnings = await opinions([Port(number)] * 60)
    assert reported == {}
    assert len(connections) <= 25 * (12 + 4)
    assert len(warnings) == 1
    assert "12 ports in a row gave nothing away" in warnings[0]


async def test_the_rate_counts_every_connection():
    loop = asyncio.get_running_loop()
    async with listening(serving({"/": page("<title>Gerrit Code Review</title>")})) as number:
        began = loop.time()
        await opinions([Port(number)], rate=50)
    # Two connections, ten packets each; the first goes at once.
    assert loop.time() - began >= 0.2


async def test_asked_once_more_a_port_hears_only_what_its_number_suggests(monkeypatch):
    received, reported = bytearray(), []

    async def agent(reader, writer):
        received.extend(await reader.read(100))
        writer.write(b"ZBXD\x01\x06\0\0\0\0\0\0\x007.0.22")
        writer.close()

    zabbix = protocol_questions.named("zabbix")
    monkeypatch.setattr(protocol_questions, "suggested", lambda port: [zabbix])
    second = SecondOpinion(PATIENCE, PacketRate(None), lambda warning: None)
    async with listening(agent) as number:
        await second.ask_once_more(ADDRESS, [Port(number)], reported.append)
    assert [(each.product, each.version) for each in reported] == [("Zabbix agent", "7.0.22")]
    assert bytes(received) == zabbix.send[0]


async def test_a_host_that_gave_nothing_away_is_not_asked_once_more(monkeypatch):
    asked = []

    async def nothing(questioner, port):
        asked.append(port.number)

    monkeypatch.setattr(opinion, "interview", nothing)
    monkeypatch.setattr(opinion, "ask_suggested", nothing)
    second = SecondOpinion(PATIENCE, PacketRate(None), lambda warning: None)
    await second.ask_once_more(ADDRESS, [Port(9100), Port(6817), Port(10050)], asked.append)
    assert asked == [10050]
    await second.ask(ADDRESS, [Port(number) for number in range(20_000, 20_012)], asked.append)
    asked.clear()
    await second.ask_once_more(ADDRESS, [Port(10050)], asked.append)
    assert asked == []


async def silent(reader, writer):
    await reader.read()
    writer.close()


async def test_a_host_that_costs_too_much_time_is_left_alone_and_that_is_said():
    patience = Patience(answer=0.1, port=0.3, host=0.3)
    async with listening(silent) as number:
        _, warnings = await opinions([Port(number)] * 9, patience=patience)
    assert len(warnings) == 1
    assert "0 s were spent on it" in warnings[0]


async def test_time_between_two_calls_is_not_the_hosts():
    reported, warnings = [], []
    second = SecondOpinion(Patience(answer=0.5, port=2, host=0.6), PacketRate(None), warnings.append)
    async with listening(serving({"/": page("<title>Gerrit Code Review</title>")})) as number:
        for _ in range(2):
            await second.ask(ADDRESS, [Port(number)], reported.append)
            await asyncio.sleep(0.7)
    assert (len(reported), warnings) == (2, [])


async def test_waiting_for_the_rate_is_not_the_hosts_time():
    patience = Patience(answer=0.5, port=2, host=0.5)
    async with listening(serving({"/": page("<title>Gerrit Code Review</title>")})) as number:
        # Two questions each, ten packets each: 0.2 s per port, of which the service takes next to nothing.
        _, warnings = await opinions([Port(number)] * 9, patience=patience, rate=100)
    assert warnings == []


async def test_no_more_than_its_ports_are_asked_of_a_host():
    patience = Patience(answer=0.5, port=2, host=30, ports=3)
    async with listening(serving({"/": page("<title>Gerrit Code Review</title>")})) as number:
        _, warnings = await opinions([Port(number)] * 5, patience=patience)
    assert warnings == [f"{ADDRESS}: its other unnamed ports are not asked what they are: 3 ports were asked"]


async def test_at_most_four_ports_of_a_host_are_asked_at_once():
    open_now, most = 0, 0

    async def counting(reader, writer):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.05)
        writer.write(page("x", "Server: nginx/1.26.3"))
        writer.close()
        open_now -= 1

    async with listening(counting) as number:
        await opinions([Port(number)] * 20)
    assert 1 <= most <= 4


async def test_no_connection_is_opened_to_9100(monkeypatch):
    asked = []

    async def interview(questioner, port):
        asked.append(questioner.port)

    monkeypatch.setattr(opinion, "interview", interview)
    await opinions([Port(9100), Port(9104)])
    await opinions([Port(9100), Port(9104)], open_ports=(80,))
    await opinions([Port(9104), Port(8080)], open_ports=(515,))
    assert asked == [9104, 8080]
