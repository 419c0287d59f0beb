"""The card of a template that stands for a real network."""

from datetime import date

from fake_orchestrator import SMALL
from network_parts import parts

from dryrun_contract.template import Levels, StandsFor

HTML = {"Accept": "text/html"}


async def test_a_card_says_which_network_a_replica_stands_for_and_how_well(api, orchestrator):
    known = StandsFor(
        made_from="a table <script>",
        made_on=date(2026, 11, 26),
        hosts=1200,
        levels=Levels(same_version=60, same_product=11, relative=9, banner=6, open_ports=2, nothing=4),
    )
    orchestrator.templates = {SMALL.id: SMALL.model_copy(update={"stands_for": known})}
    page = (await api.client.get("/dryrun/templates", headers=HTML)).text
    assert "1,200 hosts" in page
    assert "from a table &lt;script&gt;, 2026-11-26" in page
    assert "71 of 90 services" in page
    assert "on real software, 9 on a relative, 4 on a banner, 2 on an open port, 4 on nothing" in page


async def test_a_card_of_any_other_template_says_nothing_of_one(api):
    page = (await api.client.get("/dryrun/templates", headers=HTML)).text
    assert "Small company" in page
    assert "Stands for" not in page


async def test_the_templates_of_one_network_are_one_card_that_unfolds(api, orchestrator):
    orchestrator.templates = {SMALL.id: SMALL} | parts(20)
    page = (await api.client.get("/dryrun/templates", headers=HTML)).text
    assert page.count('<article class="card network"') == 1
    assert "Network acme" in page
    assert "acme-01 to acme-20" in page
    assert f"with {20 * len(SMALL.services)} machines" in page
    # What is known of the network stands once, every part can be started.
    assert page.count("71 of 90 services") == 1
    assert page.count("40 hosts") == 1
    folded = page.partition("<details>")[2]
    assert "The 20 templates" in folded
    for number in range(1, 21):
        assert f'id="t-acme-{number:02}"' in page
        assert f'value="acme-{number:02}"' in page
    assert '<h3 id="t-acme-01">' in page
    assert '<h2 id="t-small">' in page


async def test_templates_of_two_networks_or_of_none_stay_apart(api, orchestrator):
    alone = parts(1)
    alike = {
        f"branch-{n}": template.model_copy(update={"id": f"branch-{n}", "title": f"Replica branch-{n}"})
        for n, template in enumerate(parts(2).values(), 1)
    }
    other = {
        f"acme-{number:02}": template.model_copy(update={"id": f"acme-{number:02}"})
        for number, template in zip((2,), parts(1, network=2).values(), strict=True)
    }
    bare = {f"plain-{n}": SMALL.model_copy(update={"id": f"plain-{n}"}) for n in (1, 2)}
    orchestrator.templates = alone | other | bare | alike
    page = (await api.client.get("/dryrun/templates", headers=HTML)).text
    assert "card network" not in page
    assert page.count('<article class="card template"') == 6
