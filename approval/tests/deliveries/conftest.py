from contextlib import AsyncExitStack

import pytest
from made_deliveries import SECRET, Delivering


@pytest.fixture
async def delivering(database_url):
    """Give `delivering(receiver)`: a process that may deliver to these receivers."""
    async with AsyncExitStack() as exits:

        def make(*receivers, at=None, seconds=5, **secrets):
            at = at or receivers[0]
            hosts = ",".join(f"http://127.0.0.1:{each.port}=127.0.0.1" for each in receivers)
            given = {"hook": f"whsec_{SECRET}", **secrets}
            made = Delivering(database_url, hosts, at.url(), seconds=seconds, **given)
            exits.push_async_callback(made.close)
            return made

        yield make
