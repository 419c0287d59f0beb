"""The card of a template that stands for a real network."""

from datetime import date

from fake_orchestrator import SMALL

from dryrun_contract.template import Levels, StandsFor

HTML = {"Accept": "text/html"}


async def test_a_card_says_which_network_a_replica_stands_for_and_how_well(api, orchestrator):
    known = StandsFor(
        made_from="a table <script>",
        made_on=date(2026, 11, 26),
        hosts=1200,
        levels=Levels(same_version=60, same_product=11, relative=9, banner=6, nothing=4),
    )
    orchestrator.templates = {SMALL.id: SMALL.model_copy(update={"stands_for": known})}
    page = (await api.client.get("/dryrun/templates", headers=HTML)).text
    assert "1,200 hosts" in page
    assert "from a table &lt;script&gt;, 2026-11-26" in page
    assert "71 of 90 services" in page
    assert "on real software, 9 on a relative, 6 on a banner, 4 on nothing" in page


async def test_a_card_of_any_other_template_says_nothing_of_one(api):
    page = (await api.client.get("/dryrun/templates", headers=HTML)).text
    assert "Small company" in page
    assert "Stands for" not in page
