"""What a request for a page says of where it goes, and who is not sent one."""

from asking import ADDRESS, ask
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion import http_answer

MALFORMED = (
    b"HTTP/1.1 400 Bad Request\nContent-Type: text/html\r\nConnection: Close\r\n\r\n"
    b"<HTML><HEAD><TITLE>e2guardian - 400 Bad Request</TITLE></HEAD></HTML>\r\n"
)


def test_a_request_does_not_lead_a_proxy_back_to_its_own_port():
    lines = http_answer.request(ADDRESS, "/metrics").split(b"\r\n")
    assert lines[0] == b"GET /metrics HTTP/1.1"
    assert [each for each in lines if each.startswith(b"Host:")] == [b"Host: 127.0.0.1"]


async def test_a_proxy_that_names_itself_is_not_asked_for_a_page_of_another():
    received = []

    async def serve(reader, writer):
        said = await reader.read(4096)
        received.append(said)
        writer.write(MALFORMED if b"Host:" not in said else b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nhello")
        writer.close()

    async with listening(serve) as number:
        found = await ask(number, Port(number), answer=0.3, seconds=3)
    assert (found.name, found.product) == ("http", "E2guardian http proxy")
    assert received == [b"GET / HTTP/1.0\r\n\r\n"]


def test_lines_may_end_with_a_line_feed_alone():
    answer = http_answer.HttpAnswer.read(b"HTTP/1.0 200 OK\nServer: pulseaudio/17.0\n\nfirst\r\n\r\nsecond")
    assert answer.headers == {"server": "pulseaudio/17.0"}
    assert answer.body == "first\r\n\r\nsecond"


def test_a_line_feed_within_a_line_ends_neither_line_nor_head():
    answer = http_answer.HttpAnswer.read(
        b"HTTP/1.1 200 OK\r\nX-Note: a\nServer: evil/9\n\nb\r\nServer: nginx/1.2\r\n\r\nhi"
    )
    assert (answer.headers["server"], answer.body) == ("nginx/1.2", "hi")
