"""Makes notifiers, which send to servers of the tests' own."""

from contextlib import AsyncExitStack

import pytest

from approval_api.database.engine import DELIVERY_ROLE, create_engine
from approval_api.egress.client import Egress
from approval_api.egress.hosts import HostList
from approval_api.notifications.sending.notifier import Notifier


@pytest.fixture
async def notifying(database_url):
    async with AsyncExitStack() as exits:

        async def make(*receivers, mail=None, domains=("example.com",), tokens=None):
            hosts = ",".join(f"http://127.0.0.1:{each.port}=127.0.0.1" for each in receivers)
            engine = create_engine(database_url, role=DELIVERY_ROLE)
            exits.push_async_callback(engine.dispose)
            egress = await exits.enter_async_context(Egress(HostList.parse(hosts), seconds=5))
            return Notifier(
                engine, egress, mail, frozenset(domains), "https://approval.example", tokens or {}
            )

        yield make
