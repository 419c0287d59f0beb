"""Approved discoveries, destinations and deliveries, made without HTTP."""

import base64
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.engine import DELIVERY_ROLE, create_engine
from approval_api.deliveries import repository, service
from approval_api.deliveries.sending.checks import Checker
from approval_api.deliveries.sending.process import make_senders
from approval_api.deliveries.sending.settings import Credential, DeliverySettings
from approval_api.deliveries.sending.worker import Deliverer
from approval_api.egress.client import Egress
from approval_api.egress.hosts import HostList, Place
from dryrun_contract.delivery import DeliveryView, DestinationRequest

SECRET = base64.b64encode(b"a secret of the tests of webhooks").decode()


async def approve_discoveries(
    engine: AsyncEngine, *rows: tuple[str, str, str], status: str = "approved"
) -> None:
    """Store discoveries (kind, key, data as JSON); a known one gets the data and a new revision."""
    async with engine.begin() as connection:
        for kind, key, data in rows:
            await connection.execute(
                text("""
                    INSERT INTO gateway.discoveries AS d (collector, kind, key, data, confidence, status,
                        decided_as, decided_by, decided_at, note)
                    VALUES ('network', :kind, :key, CAST(:data AS jsonb), 1, :status,
                        'approved', 'ada', now(), '')
                    ON CONFLICT (collector, kind, key_sha256) DO UPDATE SET data = excluded.data,
                        revision = d.revision + 1, status = excluded.status
                """),
                {"kind": kind, "key": key, "data": data, "status": status},
            )


async def set_status(engine: AsyncEngine, key: str, status: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE gateway.discoveries SET status = :status WHERE key = :key"),
            {"key": key, "status": status},
        )


async def add_destination(engine: AsyncEngine, **wanted: object) -> UUID:
    request = DestinationRequest.model_validate({"name": f"d{uuid4().hex[:8]}", **wanted})
    async with engine.begin() as connection:
        return (await service.add_destination(connection, request, "ada")).id


async def preview(engine: AsyncEngine, destination: UUID) -> DeliveryView:
    async with engine.begin() as connection:
        return await service.preview(connection, destination, "ada")


async def approve(engine: AsyncEngine, delivery: UUID) -> DeliveryView:
    async with engine.begin() as connection:
        return await service.approve(connection, delivery, "ada")


async def show(engine: AsyncEngine, delivery: UUID) -> DeliveryView:
    async with engine.connect() as connection:
        return await service.show(connection, delivery)


async def items_of(engine: AsyncEngine, delivery: UUID) -> list:
    async with engine.connect() as connection:
        return await repository.page_of_items(connection, delivery, 0, 10_000, None)


async def make_everything_due(engine: AsyncEngine) -> None:
    """Let time pass: pauses and leases are over."""
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.delivery_items SET next_at = now()"))
        await connection.execute(text("UPDATE gateway.destinations SET not_before = NULL"))


class Delivering:
    """A delivering process's parts, with its role in the database."""

    def __init__(self, url: str, hosts: str, at: str, *, seconds: float = 5, **secrets: str) -> None:
        """Deliver to `hosts`; the credentials are for the place `at`."""
        self.settings = DeliverySettings(
            database_url=SecretStr(url),
            hosts=HostList.parse(hosts),
            credentials={name: Credential(Place.of(at), SecretStr(value)) for name, value in secrets.items()},
        )
        self.engine = create_engine(url, role=DELIVERY_ROLE)
        self.egress = Egress(self.settings.hosts, seconds=seconds)
        self.deliverer = Deliverer(self.engine, make_senders(self.egress, self.settings), first_pause=3600)
        self.checker = Checker(self.engine, make_senders(self.egress, self.settings), seconds=seconds)

    async def work(self) -> None:
        """Do all that is due."""
        await self.deliverer.work_once()
        for task in list(self.deliverer._busy.values()):
            await task

    async def close(self) -> None:
        await self.egress.__aexit__(None, None, None)
        await self.engine.dispose()


async def store_deliveries(engine: AsyncEngine) -> UUID:
    """Store three destinations and a delivery that is under way in every state; return the delivery."""
    rows = [(kind, f"192.0.2.{n}{suffix}", "{}") for n in range(20, 24) for kind, suffix in _ON_A_HOST]
    await approve_discoveries(engine, *rows)
    await add_destination(
        engine, name="netbox", kind="netbox", url="https://netbox.example.com", credential="netbox"
    )
    await add_destination(engine, name="nightly", kind="csv", kinds=["host", "service"])
    cmdb = await add_destination(
        engine, name="cmdb", kind="webhook", url="https://hooks.example.com/x", credential="hook"
    )
    delivery = await preview(engine, cmdb)
    await approve(engine, delivery.id)
    async with engine.begin() as connection:
        for place, (state, answer) in enumerate(_STORED):
            await connection.execute(
                text("""
                    UPDATE gateway.delivery_items SET state = :state, answer = :answer, attempts = :attempts
                    WHERE id = (SELECT min(id) + :place FROM gateway.delivery_items WHERE delivery_id = :id)
                """),
                {"state": state, "answer": answer, "attempts": place, "place": place, "id": delivery.id},
            )
    return delivery.id


_ON_A_HOST = (("host", ""), ("service", ":22/tcp"))
_STORED = (
    ("delivered", "HTTP 204"),
    ("dead", 'HTTP 400: <script>alert("x")</script> not a valid event'),
    ("waiting", "no whole answer within 15 s"),
    ("withdrawn", "changed or no longer approved since the preview"),
)
