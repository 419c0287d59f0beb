"""A name server of a test's own, by TCP and UDP."""

import asyncio
import struct
from collections import Counter
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

ZONE = """
@ 3600 IN SOA ns1 hostmaster 1 7200 900 1209600 3600
@ 3600 IN NS ns1
@ 3600 IN TXT "canary-text"
ns1 3600 IN A 203.0.113.53
branch 3600 IN NS ns1
"""


@asynccontextmanager
async def listening(serve):
    """Let `serve` answer each connection to a free port of 127.0.0.1, and close it."""

    async def careful(reader, writer):
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(careful, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        listener.close_clients()
        await listener.wait_closed()


class FakeDns:
    """Holds corp.example, which it gives to everybody, and branch.corp.example, which it keeps."""

    def __init__(self, *, records=ZONE, endless=False, breaks_off=False, kept=(), silences=()) -> None:
        """`kept`: other zones that it holds; `silences`: names, once for each question without an answer."""
        self.asked: list[tuple[str, str, bool]] = []
        self.endless = endless
        self.breaks_off = breaks_off
        self.held = {"corp.example.", "branch.corp.example.", *kept}
        self.silences = Counter(silences)
        zone = dns.zone.from_text(records, "corp.example.", check_origin=False, relativize=False)
        self.records = [dns.rrset.from_rdata(name, ttl, rdata) for name, ttl, rdata in zone.iterate_rdatas()]
        self.soa = next(each for each in self.records if each.rdtype == dns.rdatatype.SOA)

    def questions(self, kind: str) -> list[str]:
        """Return the names that it was asked for, in order."""
        return [name for name, each, _ in self.asked if each == kind]

    def answer(self, wire: bytes) -> bytes | None:
        """Return the answer to a datagram, None for silence."""
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name = str(question.name)
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype), bool(query.flags & dns.flags.RD)))
        if self.silences[name]:
            self.silences[name] -= 1
            return None
        answer = dns.message.make_response(query)
        if question.rdtype == dns.rdatatype.SOA and name in self.held:
            answer.flags |= dns.flags.AA
            answer.answer.append(dns.rrset.from_rdata(question.name, 60, self.soa[0]))
        else:
            answer.set_rcode(dns.rcode.REFUSED)
        return answer.to_wire()

    @asynccontextmanager
    async def running(self):
        """Serve while the context lasts, at the port that is yielded."""
        fake = self

        class ByUdp(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, addr):
                if (answer := fake.answer(data)) is not None:
                    self.transport.sendto(answer, addr)

        async with listening(self._give) as port:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                ByUdp, local_addr=("127.0.0.1", port)
            )
            try:
                yield port
            finally:
                transport.close()

    async def _give(self, reader, writer):
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        query = dns.message.from_wire(await reader.readexactly(size))
        (question,) = query.question
        self.asked.append((str(question.name), "AXFR", bool(query.flags & dns.flags.RD)))
        answer = dns.message.make_response(query)
        if str(question.name) != "corp.example.":
            answer.set_rcode(dns.rcode.REFUSED)
        else:
            others = [each for each in self.records if each is not self.soa]
            ends = not (self.endless or self.breaks_off)
            answer.answer = [self.soa, *others, *([self.soa] if ends else [])]
        wire = answer.to_wire()
        answer.answer = self.records[1:2] * 200
        more = answer.to_wire()
        writer.write(struct.pack("!H", len(wire)) + wire)
        await writer.drain()
        while self.endless:
            writer.write(struct.pack("!H", len(more)) + more)
            await writer.drain()
            await asyncio.sleep(0)
