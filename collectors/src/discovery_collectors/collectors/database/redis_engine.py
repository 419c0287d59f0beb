"""Inspects Redis and Valkey: version, and how many keys each database holds; no key, no value."""

import re
from typing import ClassVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from discovery_collectors.collectors.database.login import LoginRefusedError, ServiceUnreachableError, Session
from discovery_collectors.collectors.database.service_report import (
    MAX_DATABASES,
    DatabaseService,
    ServiceReport,
)
from discovery_collectors.running.bounds import first
from dryrun_contract.collector_config import Credential

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 10
_DATABASE = re.compile(r"db([0-9]{1,5})")


class RedisEngine:
    """Redis, and what speaks its protocol."""

    product: ClassVar[str] = "Redis"
    anonymous: ClassVar[bool] = True
    in_clear: ClassVar[bool] = True
    """AUTH carries the password; Redis knows no proof of it."""

    async def open(self, service: DatabaseService, credential: Credential | None) -> Session:
        """Connect, give the credential if there is one, and ask for `INFO server`."""
        # No retries, no client name, no library name: each is a further request.
        host, port = service.reached_at
        client = Redis(
            host=host,
            port=port,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            single_connection_client=True,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            protocol=2,
            decode_responses=True,
            encoding_errors="replace",
        )
        try:
            if credential is not None:
                login = [credential.password]
                if credential.username is not None:
                    login.insert(0, credential.username)
                await _ask(client, "AUTH", *login)
            server = await _ask_info(client, "server")
        except BaseException as error:
            await client.aclose()
            if isinstance(error, (AuthenticationError, NoPermissionError, ResponseError)):
                # An error reply is Redis's own way of saying no.
                raise LoginRefusedError(str(error)) from error
            if isinstance(error, (RedisError, OSError, ValueError)):
                raise ServiceUnreachableError(f"no answer as Redis gives one: {error}") from error
            raise
        return _RedisSession(client, server)


class _RedisSession:
    def __init__(self, client: Redis, server: dict[str, object]) -> None:
        self._client = client
        self._server = server

    async def describe(self, report: ServiceReport) -> None:
        if "redis_version" not in self._server:
            raise ServiceUnreachableError("its INFO names no version, as Redis's would")
        if self._server.get("server_name") == "valkey":
            report.granted("Valkey", str(self._server.get("valkey_version", "")))
        else:
            report.granted("Redis", str(self._server["redis_version"]))
        try:
            keyspace = await _ask_info(self._client, "keyspace")
        except (RedisError, OSError) as error:
            raise ServiceUnreachableError(f"its databases cannot be listed: {error}") from error
        databases = [(found[1], keyspace[name]) for name in keyspace if (found := _DATABASE.fullmatch(name))]
        for number, sizes in first(databases, MAX_DATABASES, "databases", report.warning):
            keys = sizes.get("keys") if isinstance(sizes, dict) else None
            report.database(number, {"keys": keys if isinstance(keys, int) else "unknown"})

    async def close(self) -> None:
        await self._client.aclose()


async def _ask(client: Redis, *words: str) -> object:
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # the library's gap


async def _ask_info(client: Redis, section: str) -> dict[str, object]:
    """Ask for one section of INFO; the library turns its lines into a dictionary."""
    answer = await _ask(client, "INFO", section)
    return answer if isinstance(answer, dict) else {}
