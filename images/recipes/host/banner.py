"""Ports that say what products would say, so that scanners name them; they stand for no software.

Started with the path of a JSON file, a list of: transport, address, port, how a question begins (base64;
empty for a greeting, only white space for any line), the answer (base64; empty for a port that says nothing),
and when it hangs up: at once, when asked (after an answer: when asked again), or never.
"""

import asyncio
import base64
import json
import sys

MOST_QUESTION = 4096
PATIENCE_SECONDS = 20


async def main(banners: list[dict]) -> None:
    for banner in banners:
        question, answer = (base64.b64decode(banner[name]) for name in ("question", "answer"))
        if banner["transport"] == "udp":
            await serve_datagrams((banner["address"], banner["port"]), question, answer)
        else:
            place = banner["address"], banner["port"]
            await serve_connections(place, question, answer, banner["hangs_up"])
    await asyncio.Event().wait()


async def serve_connections(place: tuple[str, int], question: bytes, answer: bytes, hangs_up: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if hangs_up != "at once" and await asks(reader, question):
                    writer.write(answer)
                    await writer.drain()
                    while await reader.read(MOST_QUESTION) and hangs_up == "never":
                        pass
        except (TimeoutError, ConnectionError):
            pass  # scanners hang up
        finally:
            writer.close()

    await asyncio.start_server(greet, *place, limit=MOST_QUESTION)


async def asks(reader: asyncio.StreamReader, question: bytes) -> bool:
    heard, any_line = b"", not question.strip()
    while not (heard.startswith(question) or (any_line and b"\n" in heard)):
        more = await reader.read(MOST_QUESTION)
        if not more or len(heard) > MOST_QUESTION:
            return False
        heard += more
    return True


async def serve_datagrams(place: tuple[str, int], question: bytes, answer: bytes) -> None:
    class Greeting(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            if data.startswith(question):
                self.transport.sendto(answer, address)

    await asyncio.get_running_loop().create_datagram_endpoint(Greeting, local_addr=place)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123  starts without pathlib in half the time
        content = json.load(file)
    asyncio.run(main(content))
