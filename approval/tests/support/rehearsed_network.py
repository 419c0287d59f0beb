"""A template that stands for a network, and a session on it."""

from datetime import date

from dryrun_contract.census import Census, CensusClass, ClassService, ServiceCount
from dryrun_contract.template import Levels, StandsFor

DB = ClassService(place="5432/tcp", level="same_version", product="PostgreSQL DB")
WEB = ClassService(place="80/tcp", level="same_product", product="<script>nginx")
HIDDEN = ClassService(place="18734/tcp", level="same_product", product="<script>nginx")
CENSUS = Census(
    network="n0123456789abcdef",
    classes=(
        CensusClass(name="db-a", hosts=10, targets=("db",), services=(DB,)),
        CensusClass(name="web-a", hosts=30, targets=("web",), services=(WEB, HIDDEN)),
    ),
    services=(
        ServiceCount(**DB.model_dump(), count=10),
        ServiceCount(**WEB.model_dump(), count=30),
        ServiceCount(**HIDDEN.model_dump(), count=30),
        ServiceCount(place="9000/tcp", level="nothing", product="Product-1", count=5),
    ),
)
KNOWN = StandsFor(
    made_from="a table",
    made_on=date(2026, 11, 26),
    hosts=45,
    levels=Levels(same_version=10, same_product=60, relative=0, banner=0, nothing=5),
    weights={"db": 10, "web": 30},
    census=CENSUS,
)


async def rehearsed(api, eventually) -> str:
    """Start a session and return its id when it has ended."""
    session_id = (await api.post("/sessions", json={"template": "small"})).json()["id"]

    async def ended():
        return (await api.get(f"/sessions/{session_id}")).json()["phase"] == "ended"

    await eventually(ended, 30)
    return session_id
