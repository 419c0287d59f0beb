"""Diode, NetBox's ingestion service: hosts become IP addresses.

Its SDK's client is not used: it resolves, connects and requests its token by itself, which here goes through
the only way out. Diode does not report what NetBox has, and applies what it receives over what people entered
there: so an address is sent alone, with nothing that could replace their entries.
"""

from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import grpc
import grpc.aio

from approval_api.deliveries.sending.answers import paths_of, require_success, shown
from approval_api.deliveries.sending.diode_messages import Entity, IngestRequest, IngestResponse, IPAddress
from approval_api.deliveries.sending.sender import BusyError, Item, RefusedError, Result
from approval_api.egress.client import Egress, NotAnsweredError
from approval_api.egress.hosts import Place
from approval_api.egress.relay import Relay
from dryrun_contract.bounded_json import JsonBounds, read_json
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.text import printable

SECONDS = 15.0
_METHOD = "/diode.v1.IngesterService/Ingest"
_SCOPE = "diode:ingest"
_MAX_ANSWER = 1024 * 1024
_TOKEN_BOUNDS = JsonBounds(size=64 * 1024, values=100)
_MAY_HEAL = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)
_MOST_TOKENS = 3
"""Tried for one item."""
_MOST_ERRORS = 10
"""Shown of one answer, which has one for each entity."""


@dataclass(frozen=True, slots=True)
class Login:
    """A client of Diode's, as the credential has it: `CLIENT_ID:CLIENT_SECRET`."""

    client_id: str
    secret: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a credential. Raises RefusedError, which does not quote it."""
        client_id, separator, secret = text.partition(":")
        if not (separator and client_id and secret):
            raise RefusedError("a credential of Diode is CLIENT_ID:CLIENT_SECRET")
        return cls(client_id, secret)


class DiodeSender:
    """Speaks with one Diode. Ingesting the same entity again has no further effect there."""

    def __init__(self, egress: Egress, url: str, credential: str, authorities: str | None) -> None:
        """Use the Diode at `url`; `authorities` are certificates to trust in place of gRPC's, in PEM."""
        self._egress = egress
        self._place = Place.of(url)
        self._path = urlsplit(url).path.rstrip("/")
        self._login = Login.parse(credential)
        self._hidden = (self._login.secret, self._login.client_id, *paths_of(url))
        self._authorities = authorities
        self._token = ""

    async def look(self, item: Item) -> Result:
        """Return what sending would do, as far as that is known: Diode cannot be asked what NetBox has."""
        if _entity(item) is None:
            return _left_alone(item)
        return Result(item.action, "would be sent to Diode, which creates what NetBox does not have")

    async def check(self) -> str:
        """Have Diode give a token for the client."""
        await self._authenticate()
        return "Diode gives this client a token"

    async def send(self, item: Item) -> Result:
        """Send it to Diode."""
        entity = _entity(item)
        if entity is None:
            return _left_alone(item)
        request = IngestRequest(
            stream="latest",
            id=str(item.message_id),
            producer_app_name="discovery-dry-run",
            producer_app_version="0",
            sdk_name="diode-sdk-python",
            sdk_version="0",
            entities=[entity],
        )
        relay = await self._egress.relay(self._place)
        await self._ingest(relay, request)
        return Result(item.action, "taken by Diode")

    async def _ingest(self, relay: Relay, request: Any) -> None:
        # Items are sent beside each other: during this call another one's may replace the token.
        token = self._token
        for _ in range(_MOST_TOKENS):
            fresh = not token
            if fresh:
                token = self._token = await self._authenticate()
            try:
                answer = await self._call(relay, request, token)
            except grpc.aio.AioRpcError as error:
                if relay.refused is not None:
                    raise relay.refused from None
                if error.code() is not grpc.StatusCode.UNAUTHENTICATED or fresh:
                    raise self._translated(error, token) from None
            else:
                if answer.errors:
                    said = "; ".join(self._shown(each, token) for each in answer.errors[:_MOST_ERRORS])
                    raise RefusedError(printable(said))
                return
            # It expired, unless another item has a new one already.
            if self._token == token:
                self._token = ""
            token = self._token
        raise NotAnsweredError(f"{_MOST_TOKENS} tokens expired before they were used")

    async def _call(self, relay: Relay, request: Any, token: str) -> Any:
        target = f"unix:{relay.path}"
        options = (
            ("grpc.default_authority", self._place.authority),
            ("grpc.ssl_target_name_override", self._place.host),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),  # the outbox repeats, and counts
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", _MAX_ANSWER),
        )
        if self._place.scheme == "https":
            roots = None if self._authorities is None else self._authorities.encode()
            channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(roots), options)
        else:
            channel = grpc.aio.insecure_channel(target, options)
        async with channel:
            ingest = channel.unary_unary(
                f"{self._path}{_METHOD}",
                request_serializer=IngestRequest.SerializeToString,
                response_deserializer=IngestResponse.FromString,
            )
            metadata = (("authorization", f"Bearer {token}"), ("platform", "linux"))
            return await ingest(request, timeout=SECONDS, metadata=metadata)

    async def _authenticate(self) -> str:
        """Return a token by the client's credentials (RFC 6749, 4.4)."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._login.client_id,
            "client_secret": self._login.secret,
            "scope": _SCOPE,
        }
        answer = await self._egress.request(
            "POST",
            f"{self._place}{self._path}/auth/token",
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            body=urlencode(form).encode(),
        )
        require_success(answer, *self._hidden)
        try:
            found = read_json(answer.body, _TOKEN_BOUNDS)
        except ValueError as error:
            raise NotAnsweredError("the answer to the request for a token is not JSON") from error
        token = found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise RefusedError("the answer to the request for a token has none; this is not Diode")
        return token

    def _translated(self, error: grpc.aio.AioRpcError, token: str) -> Exception:
        said = f"{error.code().name}: {self._shown(error.details() or '', token)}"
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return BusyError(said)
        if error.code() in _MAY_HEAL:
            return NotAnsweredError(said)
        return RefusedError(said)

    def _shown(self, said: str, token: str) -> str:
        return shown(said, (token, self._token, *self._hidden))


def _entity(item: Item) -> Any:
    """Return what Diode is sent of an item; None for kinds that it has no place for.

    Raises RefusedError for a host that is a name.
    """
    if item.kind != "host":
        return None
    key = ResourceKey.parse(item.key)
    address = key.address
    if address is None:
        raise RefusedError(f"{printable(key.host)} is a name; NetBox's hosts are addresses")
    return Entity(ip_address=IPAddress(address=f"{address}/{address.max_prefixlen}"))


def _left_alone(item: Item) -> Result:
    if item.kind == "service":
        return Result("leave", "Diode's services need a device or virtual machine, which no scan knows")
    return Result("leave", f"Diode is sent hosts only, and this is of kind {printable(item.kind)}")
