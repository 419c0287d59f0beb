"""Inspects MongoDB and what speaks its protocol: databases, collections and names of top-level fields."""

from typing import Any, ClassVar

from bson.errors import BSONError
from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError

from discovery_collectors.collectors.database.login import LoginRefusedError, ServiceUnreachableError, Session
from discovery_collectors.collectors.database.personal_data import classify
from discovery_collectors.collectors.database.service_report import (
    MAX_COLUMNS,
    MAX_DATABASES,
    MAX_TABLES,
    DatabaseService,
    ServiceReport,
    Table,
)
from discovery_collectors.running.bounds import first, more_than
from dryrun_contract.collector_config import Credential

_CONNECT_MS = 10_000
"""With the answer to `hello`."""
_ANSWER_MS = 10_000
_SAMPLE_DOCUMENTS = 100
_SYSTEM_DATABASES = frozenset({"admin", "config", "local"})
_REFUSALS = frozenset({13, 18, 8000})
"""Unauthorized, AuthenticationFailed, and AtlasError, which hosted servers answer to a wrong login."""
_NAMES: list[dict[str, Any]] = [
    {"$limit": _SAMPLE_DOCUMENTS},
    {"$project": {"_id": 0, "field": {"$objectToArray": "$$ROOT"}}},
    {"$unwind": "$field"},
    {"$group": {"_id": "$field.k"}},
    {"$limit": MAX_COLUMNS + 1},
]
"""The server itself drops the values: only names travel."""


class MongodbEngine:
    """MongoDB, and servers that speak its protocol."""

    product: ClassVar[str] = "MongoDB"
    anonymous: ClassVar[bool] = True
    in_clear: ClassVar[bool] = False

    async def open(self, service: DatabaseService, credential: Credential | None) -> Session:
        """Connect, log in if there is a credential (SCRAM only, never in plain text), and list databases."""
        login: dict[str, Any] = {}
        if credential is not None:
            login = {"username": credential.username or "", "password": credential.password}
            login["authSource"] = "admin"
        try:
            client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
                *service.reached_at,
                directConnection=True,
                serverSelectionTimeoutMS=_CONNECT_MS,
                connectTimeoutMS=_CONNECT_MS,
                socketTimeoutMS=_ANSWER_MS,
                maxPoolSize=1,
                retryReads=False,
                retryWrites=False,
                **login,
            )
        except ConfigurationError as error:
            raise LoginRefusedError(f"the credential cannot be used with MongoDB: {error}") from error
        try:
            listed = await client.admin.command("listDatabases", nameOnly=False, maxTimeMS=_ANSWER_MS)
        except BaseException as error:
            await client.close()
            if isinstance(error, OperationFailure) and error.code in _REFUSALS:
                raise LoginRefusedError(_said(error)) from error
            if isinstance(error, (PyMongoError, OSError)):
                raise ServiceUnreachableError(f"no answer in MongoDB's protocol: {_said(error)}") from error
            raise
        return _MongodbSession(client, listed)


class _MongodbSession:
    def __init__(self, client: AsyncMongoClient[dict[str, Any]], listed: dict[str, Any]) -> None:
        self._client = client
        self._listed = listed

    async def describe(self, report: ServiceReport) -> None:
        try:
            build: dict[str, Any] = await self._client.admin.command("buildInfo")
        except PyMongoError as error:
            raise ServiceUnreachableError(f"it does not name itself: {_said(error)}") from error
        product, version, evidence = identify_server(build)
        report.granted(product, version, evidence)
        sizes = {
            str(entry.get("name", "")): entry.get("sizeOnDisk")
            for entry in self._listed.get("databases", [])
            # An empty one may exist only because a client named it.
            if isinstance(entry, dict) and not entry.get("empty")
        }
        names = [name for name in sizes if name and name not in _SYSTEM_DATABASES]
        for name in first(names, MAX_DATABASES, "databases", report.warning):
            size = sizes[name]
            report.database(name, {"bytes": int(size)} if isinstance(size, int | float) else {})
            await self._describe_database(name, report)

    async def _describe_database(self, name: str, report: ServiceReport) -> None:
        count = 0
        try:
            async for entry in await self._client[name].list_collections(
                filter={"name": {"$not": {"$regex": "^system\\."}}}
            ):
                collection = str(entry.get("name", ""))
                if collection.startswith("system."):
                    continue
                if count == MAX_TABLES:
                    report.warning(f"database {name}: {more_than(MAX_TABLES, 'collections')}")
                    break
                count += 1
                await self._describe_collection(name, collection, report, kind=entry.get("type"))
        except (PyMongoError, BSONError, ValueError) as error:
            report.warning(f"database {name}: its collections cannot be listed: {_said(error)}")

    async def _describe_collection(
        self, database: str, name: str, report: ServiceReport, *, kind: object
    ) -> None:
        view = kind == "view"
        fields: list[str] | None = None
        rows: int | None = None
        try:
            collection = self._client[database][name]
            cursor = await collection.aggregate(_NAMES, maxTimeMS=_ANSWER_MS)
            fields = sorted(str(found["_id"]) for found in await cursor.to_list(MAX_COLUMNS + 1))
            # To count a view means to compute it, and time series are views of what they are kept in.
            rows = (
                None
                if kind in {"view", "timeseries"}
                else await collection.estimated_document_count(maxTimeMS=_ANSWER_MS)
            )
        except (PyMongoError, KeyError, ValueError) as error:
            report.warning(f"collection {database}.{name}: {_said(error)}")
        more = fields is not None and len(fields) > MAX_COLUMNS
        fields = fields and fields[:MAX_COLUMNS]
        personal = classify(fields or [], {})
        table = Table(database, name, fields, rows=rows, view=view, personal=personal, more_columns=more)
        report.table((database, name), table)

    async def close(self) -> None:
        await self._client.close()


def identify_server(build: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Return product, version and evidence from `buildInfo`.

    A server that names another process than MongoDB's speaks the protocol and is not MongoDB; the version
    it reports is the one it claims compatibility with, not its own.
    """
    claimed = str(build.get("version", ""))
    process = str(build.get("process", "mongod"))
    if "ferretdb" in build:
        own = build["ferretdb"]
        version = str(own.get("version", "")) if isinstance(own, dict) else ""
        return "FerretDB", version.removeprefix("v"), {"compatible_with": f"MongoDB {claimed}"}
    if process not in {"mongod", "mongos"}:
        product = "nx-27017" if process == "nx_27017" else process
        return product, "", {"compatible_with": f"MongoDB {claimed}"}
    return "MongoDB", claimed, {}


def _said(error: BaseException) -> str:
    # An OperationFailure's full text repeats the server's whole answer, which must not be passed on.
    details = error.details if isinstance(error, OperationFailure) else None
    message = str(details.get("errmsg", "")) if details else str(error)
    return " ".join(message.split())[:300] or type(error).__name__
