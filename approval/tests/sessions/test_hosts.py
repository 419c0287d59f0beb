"""The hosts that sessions run on are shown to readers, with what stands on each."""

from uuid import uuid4

from dryrun_contract.fleet import Fleet, FleetHost


def fleet(session_id):
    return Fleet(
        managers=("alpha",),
        encrypted=True,
        hosts=(
            FleetHost(
                name="alpha",
                drained=True,
                containers=4,
                places=60,
                sessions=(session_id,),
                labels={"zone": "lab"},
            ),
            FleetHost(name="beta", drained=True, containers=0, places=60),
            FleetHost(name="gamma", drained=False, obstacle="<i>its clock</i>", containers=0, places=60),
            FleetHost(name="delta", drained=False, containers=0, places=60),
            # What is prepared there is nobody's session.
            FleetHost(name="epsilon", drained=True, containers=7, places=60),
        ),
    )


async def test_readers_see_the_hosts_and_a_stopped_orchestrator_is_a_503(api, orchestrator):
    assert (await api.get("/hosts")).json() == {"managers": [], "encrypted": None, "hosts": []}
    orchestrator.fleet = fleet(uuid4())
    assert (await api.get("/hosts")).json() == orchestrator.fleet.model_dump(mode="json")
    orchestrator.down = True
    assert (await api.get("/hosts")).status_code == 503


async def test_the_overview_shows_which_hosts_are_drained_and_what_is_still_there(
    api, orchestrator, eventually
):
    session_id = uuid4()
    orchestrator.fleet = fleet(session_id)

    async def shown():
        page = (await api.client.get("/", headers={"Accept": "text/html"})).text
        return page if "h-hosts" in page else None

    page = await eventually(shown)
    rows = {row.split("</th>")[0]: row for row in page.split('<th scope="row">')[1:]}
    assert ">draining<" in rows["alpha"]
    assert f"/dryrun/sessions/{session_id}" in rows["alpha"]
    assert "zone=lab" in rows["alpha"]
    assert ">drained<" in rows["beta"]
    assert ">out of use<" in rows["gamma"]
    assert "&lt;i&gt;its clock&lt;/i&gt;" in rows["gamma"]
    assert ">takes sessions<" in rows["delta"]
    assert ">draining<" in rows["epsilon"]
    orchestrator.down = True
    assert (await api.client.get("/", headers={"Accept": "text/html"})).status_code == 200
