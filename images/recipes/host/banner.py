"""Ports that say what products would say, so that scanners name them; they stand for no software.

Started with the path of a JSON file, a list of: transport, port, how a question begins (base64; empty
for a greeting) and the answer.
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
        serve = serve_datagrams if banner["transport"] == "udp" else serve_connections
        await serve(banner["port"], question, answer)
    await asyncio.Event().wait()


async def serve_connections(port: int, question: bytes, answer: bytes) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if await asks(reader, question):
                    writer.write(answer)
                    await writer.drain()
                    await reader.read(MOST_QUESTION)
        except (TimeoutError, ConnectionError):
            pass  # scanners hang up
        finally:
            writer.close()

    await asyncio.start_server(greet, "0.0.0.0", port, limit=MOST_QUESTION)  # noqa: S104  others reach it


async def asks(reader: asyncio.StreamReader, question: bytes) -> bool:
    heard = b""
    while not heard.startswith(question):
        more = await reader.read(MOST_QUESTION)
        if not more or len(heard) > MOST_QUESTION:
            return False
        heard += more
    return True


async def serve_datagrams(port: int, question: bytes, answer: bytes) -> None:
    class Greeting(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            if data.startswith(question):
                self.transport.sendto(answer, address)

    here = ("0.0.0.0", port)  # noqa: S104  others reach it
    await asyncio.get_running_loop().create_datagram_endpoint(Greeting, local_addr=here)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123  starts without pathlib in half the time
        content = json.load(file)
    asyncio.run(main(content))
