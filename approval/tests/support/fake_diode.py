"""A Diode for tests: its gRPC service and its tokens at one address, as the proxy before the real one has it.

Ingested entities are kept by what they are, as Diode's reconciler keeps them: one sent twice is there once.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import grpc
import grpc.aio
from netboxlabs.diode.sdk.diode.v1 import ingester_pb2, ingester_pb2_grpc
from receiver import Receiver, answer, receiving

CREDENTIAL = "a-client:a-secret-of-diode"
FAULTS = ("unavailable", "deadline", "reset", "lost", "busy", "expired")


class FakeDiode(ingester_pb2_grpc.IngesterServiceServicer):
    """What arrived, and what goes wrong: each call has a fault of `faults` with `chance`."""

    def __init__(self) -> None:
        self.random = random.Random(0)
        self.chance = 0.0
        self.faults = FAULTS
        self.entities: dict[str, bytes] = {}
        """What is there, by address."""
        self.requests: list[ingester_pb2.IngestRequest] = []
        self.errors: list[str] = []
        self.port = 0
        self.tokens = 0
        self._grpc_port = 0
        self._relayed: dict[str, asyncio.StreamWriter] = {}
        self.http: Receiver

    def url(self, path: str = "/diode") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def Ingest(self, request, context):  # noqa: N802  # the service's name
        shown = dict(context.invocation_metadata()).get("authorization")
        fault = self.random.choice(self.faults) if self.random.random() < self.chance else None
        if fault == "expired":
            self.tokens += 1
        if shown != f"Bearer token-{self.tokens}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token expired")
        if fault == "unavailable":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the queue is away")
        if fault == "busy":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "later")
        if fault == "reset":
            self._cut(context)
        self.requests.append(request)
        if not self.errors:
            for entity in request.entities:
                self.entities[entity.ip_address.address] = entity.SerializeToString()
        if fault == "lost":
            self._cut(context)
        if fault == "deadline":
            await asyncio.sleep(60)
        return ingester_pb2.IngestResponse(errors=self.errors)

    def _cut(self, context):
        self._relayed[context.peer().rpartition(":")[2]].transport.abort()

    def tell_token(self, seen):
        form = {name: value for name, (value,) in parse_qs(seen.body.decode()).items()}
        if (seen.method, seen.target) != ("POST", "/diode/auth/token"):
            return answer(404)
        if f"{form['client_id']}:{form['client_secret']}" != CREDENTIAL:
            return answer(401, {"error": "invalid_client"})
        assert (form["grant_type"], form["scope"]) == ("client_credentials", "diode:ingest")
        return answer(200, {"access_token": f"token-{self.tokens}", "expires_in": 3600})

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lead HTTP/2 to the service, and anything else to the tokens."""
        try:
            first = await reader.readexactly(3)
            port = self._grpc_port if first == b"PRI" else self.http.port
            there, back = await asyncio.open_connection("127.0.0.1", port)
            back.write(first)
            self._relayed[str(back.get_extra_info("sockname")[1])] = writer
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.transport.abort()


@asynccontextmanager
async def serving_diode(tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeDiode]:
    diode = FakeDiode()
    server = grpc.aio.server()
    ingester_pb2_grpc.add_IngesterServiceServicer_to_server(diode, server)
    # Behind a path of its proxy, which cuts it off.
    server.add_generic_rpc_handlers((_below("/diode", diode),))
    diode._grpc_port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with receiving(diode.tell_token) as diode.http:
        front = await asyncio.start_server(diode.relay, "127.0.0.1", 0, ssl=tls)
        diode.port = front.sockets[0].getsockname()[1]
        try:
            yield diode
        finally:
            front.close()
            await server.stop(0)


def _below(path, diode):
    handler = grpc.unary_unary_rpc_method_handler(
        diode.Ingest,
        request_deserializer=ingester_pb2.IngestRequest.FromString,
        response_serializer=ingester_pb2.IngestResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(
        f"{path.strip('/')}/diode.v1.IngesterService", {"Ingest": handler}
    )
