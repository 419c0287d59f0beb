from types import SimpleNamespace
from uuid import uuid4

from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.protocol import Network
from dryrun_orchestrator.hosts.reaper import Reaper

OWNER, CHECK = uuid4(), uuid4()


class Journal:
    id = OWNER

    async def unfinished(self):
        return []


async def test_what_somebody_began_while_the_reaper_listed_is_left_to_him():
    busy = set()

    async def list_containers(_label):
        return []

    async def list_networks(_label):
        busy.add(CHECK)
        own = {labels.SESSION_ID: str(CHECK), labels.OWNER: str(OWNER)}
        return [Network("1", "check", "10.213.255.0/29", own)]

    # Removing anything would need more of the engine.
    engine = SimpleNamespace(list_containers=list_containers, list_networks=list_networks)
    reaper = Reaper(engine, Journal())
    assert await reaper.round(lambda: set(busy)) == []
