"""Asks a small server of a test's own what it is."""

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion.exchange import Questioner
from discovery_collectors.collectors.network.second_opinion.findings import Finding
from discovery_collectors.collectors.network.second_opinion.interview import interview
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")


def speaking(question: bytes, answer: bytes, received: bytearray | None = None):
    """Answer what begins with `question`; be silent to all else, or hang up on it."""

    async def serve(reader, writer):
        try:
            said = await reader.read(4096)
            if received is not None:
                received.extend(said)
            if said.startswith(question):
                writer.write(answer)
                await writer.drain()
                await reader.read(4096)
        except ConnectionError:
            pass
        writer.close()

    return serve


async def ask(number: int, port: Port | None = None, *, answer=0.6, seconds=6.0) -> Finding | None:
    questioner = Questioner(ADDRESS, number, answer, seconds, PacketRate(None))
    return await interview(questioner, port or Port(number))
