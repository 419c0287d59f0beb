"""An error in a browser says in sentences what failed, and offers what may come next."""

import pytest

HTML = {"Accept": "text/html"}
UNKNOWN = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.mark.parametrize(
    ("path", "above", "listed"),
    [
        (f"/dryrun/sessions/{UNKNOWN}", "/dryrun/sessions", "sessions"),
        (f"/dryrun/sessions/{UNKNOWN}/report", "/dryrun/sessions", "sessions"),
        ("/dryrun/sessions/small", "/dryrun/sessions", "sessions"),
        (f"/dryrun/experiments/{UNKNOWN}", "/dryrun/experiments", "experiments"),
        (f"/dryrun/schedules/{UNKNOWN}", "/dryrun/schedules", "schedules"),
        (f"/production/rules/{UNKNOWN}", "/production/rules", "approval rules"),
        (f"/production/deliveries/{UNKNOWN}", "/production/deliveries", "deliveries"),
    ],
)
async def test_an_unknown_thing_leads_to_the_list_of_those_that_are_known(api, path, above, listed):
    answer = await api.client.get(path, headers=HTML)
    assert answer.status_code in (404, 422)
    assert f'href="{above}">See all {listed}</a>' in answer.text
    assert "/api/v1" not in answer.text
    assert "openapi.json" not in answer.text


async def test_an_address_with_something_else_than_an_id_is_refused_in_plain_words(api):
    answer = await api.client.get("/dryrun/sessions/small", headers=HTML)
    assert answer.status_code == 422
    assert "<li>The session id in the address: must be a complete id (a UUID)</li>" in answer.text
    assert "path.session_id" not in answer.text


async def test_a_program_still_reads_which_route_lists_them(api):
    answer = await api.client.get(f"/api/v1/dryrun/sessions/{UNKNOWN}")
    assert answer.json()["detail"].endswith("; GET /api/v1/dryrun/sessions lists them")


async def test_what_may_succeed_soon_offers_the_same_page_again(api, orchestrator):
    orchestrator.down = True
    answer = await api.client.get("/dryrun/templates?a=1", headers=HTML)
    assert answer.status_code == 503
    assert 'href="/dryrun/templates?a=1">Try again</a>' in answer.text
    assert '<p class="problem-detail">The orchestrator does not answer' in answer.text


async def test_what_fails_for_good_is_not_offered_again(api):
    answer = await api.client.get("/dryrun/nothing", headers=HTML)
    assert answer.status_code == 404
    assert "Try again" not in answer.text
    assert '<a class="button primary" href="/">Go to the overview</a>' in answer.text


@pytest.mark.parametrize("path", ["/dryrun/experiments", "/dryrun/schedules"])
async def test_a_form_that_needs_the_orchestrator_says_why_it_is_missing(api, orchestrator, path):
    assert "the orchestrator does not answer" not in (await api.client.get(path, headers=HTML)).text
    orchestrator.down = True
    answer = await api.client.get(path, headers=HTML)
    assert answer.status_code == 200
    assert "the orchestrator does not answer" in answer.text
