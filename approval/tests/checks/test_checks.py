"""Forecasts and checks as clients see them."""

import asyncio

import pytest
from rehearsed_network import rehearsed
from scripted_session import scan_all
from sqlalchemy import text

from approval_api.checks import repository
from approval_api.identity.roles import Role

HTML = {"Accept": "text/html"}
BOB = {"Authorization": "Bearer another-token-of-the-tests"}
OUTCOME = {"hosts": 40, "places": {"5432/tcp": 10, "80/tcp": 30, "18734/tcp": 30}}


def places(check):
    return {
        group["name"]: (group["outcome"], group["beyond"], group["within"])
        for group in check["comparison"]["groups"]
        if group["what"] == "place"
    }


async def test_a_report_forecasts_the_network_and_a_check_puts_production_beside_it(api, scanned, eventually):
    session_id = await rehearsed(api, eventually)
    report = (await api.get(f"/sessions/{session_id}/report")).json()
    kinds = {group["name"]: group for group in report["network_forecast"]["kinds"]}
    assert (kinds["host"]["total"], kinds["host"]["covered"], kinds["host"]["found"]["value"]) == (45, 40, 40)
    service = kinds["service"]
    assert (service["total"], service["unknown"], service["found"]["value"]) == (75, 5, 40)
    assert report["template"]["stands_for"]["census"] is None
    assert report["observation"]["census"]["network"] == "n0123456789abcdef"

    alone = (await api.get(f"/sessions/{session_id}/forecast")).json()
    assert alone == report["network_forecast"]
    other = await rehearsed(api, eventually)
    both = (await api.get(f"/sessions/{session_id}/forecast?with={other}")).json()
    assert (both["sessions"], both["targets"]) == (2, 2)

    outcome = {
        "hosts": 44,
        "places": {"5432/tcp": 12, "80/tcp": 30, "18734/tcp": 30, "9000/tcp": 5, "22/tcp": 3},
        "products": {"postgresql": 10, "NGINX": 29, "<img src=x>": 4},
        "seconds": 1e6,
    }
    answer = await api.post(f"/sessions/{session_id}/checks", json={"outcome": outcome})
    assert answer.status_code == 201, answer.text
    check = answer.json()
    assert places(check) == {
        "5432/tcp": (10, 2, True),
        "80/tcp": (30, 0, True),
        "18734/tcp": (30, 0, False),
        "9000/tcp": (5, 0, None),
    }
    assert check["comparison"]["not_in_inventory"] == {"22/tcp": 3, "5432/tcp": 2}
    explained = check["comparison"]["explained_by"]["service"]
    assert explained[0] == "18734/tcp: 0 expected, 30 found"
    assert [each["within"] for each in check["comparison"]["quantities"]] == [False]
    stored = (await api.get(answer.headers["Location"].removeprefix("/api/v1/dryrun"))).json()
    assert stored == check

    listed = (await api.get("/checks")).json()
    assert [each["id"] for each in listed["checks"]] == [check["id"]]
    assert {each["what"]: (each["within"], each["of"]) for each in listed["calibration"]} == {
        "kind": (2, 3),
        "quantity": (0, 1),
        "place": (2, 3),
        "product": (2, 2),
    }
    for path in ("/dryrun/checks", f"/dryrun/checks/{check['id']}"):
        page = await api.client.get(path, headers=HTML)
        assert page.status_code == 200
        assert "outside" in page.text
        assert "<script>nginx" not in page.text
        assert "<img" not in page.text
    report_page = (await api.client.get(f"/dryrun/sessions/{session_id}/report", headers=HTML)).text
    assert f"/dryrun/checks?session={session_id}" in report_page


async def test_a_check_counts_what_production_holds_without_what_was_rejected(
    api, engine, scanned, eventually
):
    session_id = await rehearsed(api, eventually)
    found = [
        {"kind": "service", "key": f"10.213.9.{n}:5432/tcp", "data": {"product": "PostgreSQL DB"}}
        for n in range(1, 11)
    ]
    sent = await api.client.post(
        "/api/v1/production/discoveries",
        json={"collector": "network", "discoveries": [*found, {"kind": "host", "key": "10.213.9.200"}]},
    )
    assert sent.status_code in {200, 201}, sent.text
    check = (await api.post(f"/sessions/{session_id}/checks", json={"packets": 5})).json()
    assert check["source"] == "production"
    assert places(check)["5432/tcp"] == (10, 0, True)
    hosts = next(group for group in check["comparison"]["groups"] if group["name"] == "host")
    assert hosts["outcome"] == 11
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.discoveries SET status = 'rejected', decided_as = 'rejected', "
                "decided_by = 'ada', decided_at = now() WHERE key = '10.213.9.1:5432/tcp'"
            )
        )
    check = (await api.post(f"/sessions/{session_id}/checks", json={})).json()
    assert places(check)["5432/tcp"][0] == 9
    assert check["comparison"]["complete"]
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.discoveries SET gone_at = now(), change = 'gone' "
                "WHERE key = '10.213.9.2:5432/tcp'"
            )
        )
    wanted = {"collector": "network", "targets": ["10.213.9.0/24"], "profile": "full"}
    for complete in (False, True):
        scan = (await api.client.post("/api/v1/production/scans", json=wanted)).json()
        ended = {"complete": complete}
        answer = await api.client.post(f"/api/v1/production/scans/{scan['id']}/end", json=ended)
        assert answer.status_code == 200, answer.text
        check = (await api.post(f"/sessions/{session_id}/checks", json={})).json()
        assert (places(check)["5432/tcp"][0], check["comparison"]["complete"]) == (8, complete)
    for targets, complete in (("10.213.9.0/25", False), ("10.213.8.0/25", False), ("10.213.8.0/23", True)):
        scan = (
            await api.client.post("/api/v1/production/scans", json={**wanted, "targets": [targets]})
        ).json()
        ended = {"complete": complete}
        await api.client.post(f"/api/v1/production/scans/{scan['id']}/end", json=ended)
        check = (await api.post(f"/sessions/{session_id}/checks", json={})).json()
        assert check["comparison"]["complete"] == complete


async def test_an_experiment_forecasts_from_all_sessions_of_an_arm(api, scanned, eventually):
    wanted = {"name": "five seeds", "templates": ["small"], "seeds": [0, 1, 2]}
    experiment_id = (await api.post("/experiments", json=wanted)).json()["id"]

    async def done():
        return (await api.get(f"/experiments/{experiment_id}")).json()["state"] == "done"

    await eventually(done, 60)
    known = (await api.get(f"/experiments/{experiment_id}/forecast")).json()
    assert (known["sessions"], known["hosts"]) == (3, 45)
    assert (await api.get(f"/experiments/{experiment_id}/forecast?arm=none")).status_code == 404


async def test_a_session_on_any_other_template_has_no_forecast(api, orchestrator, eventually):
    task = asyncio.create_task(scan_all(orchestrator))
    session_id = await rehearsed(api, eventually)
    task.cancel()
    refused = await api.get(f"/sessions/{session_id}/forecast")
    assert refused.status_code == 422
    assert "its template small was not made from an inventory" in refused.json()["detail"]
    assert (await api.post(f"/sessions/{session_id}/checks", json={})).status_code == 422
    assert (await api.get("/checks")).json() == {"checks": [], "calibration": []}


@pytest.mark.parametrize(
    "outcome",
    [
        {"hosts": -1},
        {"hosts": 1, "places": {"70000/tcp": 1}},
        {"hosts": 1, "places": {f"{n}/tcp": 1 for n in range(1, 900)}},
        {"hosts": 1, "products": {"x" * 81: 1}},
        {"hosts": 1, "places": {"22/tcp": 10**12}},
        {"hosts": 1, "seconds": 1e300},
        {"hosts": 1, "addresses": ["10.213.0.1"]},
    ],
)
async def test_an_outcome_out_of_bounds_is_refused(api, outcome):
    unknown = "00000000-0000-0000-0000-000000000000"
    assert (await api.post(f"/sessions/{unknown}/checks", json={"outcome": outcome})).status_code == 422


async def test_a_comparison_counts_once_whoever_repeats_it(api, scanned, eventually):
    session_id, other = await rehearsed(api, eventually), await rehearsed(api, eventually)
    path = f"/sessions/{session_id}/checks"
    answers = await asyncio.gather(*(api.post(path, json={"outcome": OUTCOME}) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [200, 200, 200, 200, 201]
    (check_id,) = {each.json()["id"] for each in answers}
    again = await api.post(path, json={"outcome": OUTCOME}, headers=BOB)
    assert (again.status_code, again.json()["id"], again.json()["checked_by"]) == (
        200,
        check_id,
        "program:ada",
    )

    both = {"outcome": OUTCOME, "sessions": [other]}
    together = (await api.post(path, json=both)).json()
    turned = await api.post(f"/sessions/{other}/checks", json={**both, "sessions": [session_id]})
    assert (turned.status_code, turned.json()) == (200, together)
    assert len((await api.get("/checks")).json()["checks"]) == 2


async def test_what_a_run_took_is_stated_later_by_who_checked_it_and_makes_no_second_check(
    api, scanned, eventually
):
    path = f"/sessions/{await rehearsed(api, eventually)}/checks"

    async def made(headers=None, **took):
        return await api.post(path, json={"outcome": {**OUTCOME, **took}}, headers=headers)

    def stated(check):
        return {each["name"]: each["outcome"] for each in check["comparison"]["quantities"]}

    first = (await made()).json()
    for took, known in (
        ({"seconds": 3120}, {"seconds": 3120}),
        ({"seconds": 312}, {"seconds": 312}),
        ({}, {"seconds": 312}),
        ({"seconds": 312}, {"seconds": 312}),
    ):
        answer = await made(**took)
        assert (answer.status_code, answer.json()["id"], stated(answer.json())) == (200, first["id"], known)
    assert (await made(BOB)).json()["id"] == first["id"]
    refused = await made(BOB, seconds=60)
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "checked-already")
    assert (
        f"program:ada checked this run already and stated 312 seconds (check {first['id']})"
        in (refused.json()["detail"])
    )
    listed = (await api.get("/checks")).json()
    assert [(each["id"], stated(each)) for each in listed["checks"]] == [(first["id"], {"seconds": 312})]
    assert {"what": "quantity", "within": 0, "of": 1} in listed["calibration"]


async def test_a_run_that_did_not_come_to_its_end_counts_in_no_rate(api, scanned, eventually, monkeypatch):
    monkeypatch.setattr("approval_api.checks.service._NEWEST", 2)
    path = f"/sessions/{await rehearsed(api, eventually)}/checks"
    first = (await api.post(path, json={"outcome": OUTCOME})).json()
    known = (await api.get("/checks")).json()["calibration"]
    assert known
    for hosts in range(40, 43):
        answer = await api.post(path, json={"outcome": {**OUTCOME, "hosts": hosts, "complete": False}})
        assert answer.json()["id"] != first["id"]
    listed = (await api.get("/checks")).json()
    assert first not in listed["checks"]
    assert listed["calibration"] == known
    page = (await api.client.get("/dryrun/checks", headers=HTML)).text
    assert page.count("incomplete run, not counted") == 2


async def test_a_person_pushes_out_their_own_checks_only(api, scanned, eventually, monkeypatch):
    monkeypatch.setattr("approval_api.checks.repository.MAX_KEPT", 2)
    path = f"/sessions/{await rehearsed(api, eventually)}/checks"
    of_ada = (await api.post(path, json={"outcome": OUTCOME})).json()
    of_bob = [
        (await api.post(path, json={"outcome": {**OUTCOME, "hosts": hosts}}, headers=BOB)).json()
        for hosts in (41, 42, 43)
    ]
    assert (await api.get("/checks")).json()["checks"] == [of_bob[2], of_bob[1], of_ada]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({}, "the production discoveries hold no host"),
        ({"outcome": {"hosts": 0, "complete": False}}, "the run found no host"),
    ],
)
async def test_a_run_that_found_nothing_is_not_stored(api, scanned, eventually, wanted, why):
    session_id = await rehearsed(api, eventually)
    refused = await api.post(f"/sessions/{session_id}/checks", json=wanted)
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (422, "nothing-found")
    assert why in refused.json()["detail"]
    assert (await api.get("/checks")).json()["checks"] == []


async def test_who_made_a_check_and_administrators_remove_it(api, engine, scanned, eventually, browsers):
    session_id = await rehearsed(api, eventually)

    async def made(hosts):
        answer = await api.post(
            f"/sessions/{session_id}/checks", json={"outcome": {**OUTCOME, "hosts": hosts}}
        )
        return f"/api/v1/dryrun/checks/{answer.json()['id']}"

    own, others = await made(40), await made(41)
    refused = await api.client.delete(own, headers=BOB)
    assert refused.status_code == 403
    assert "ada made this check" in refused.json()["detail"]
    assert (await api.client.delete(own)).status_code == 204
    assert (await api.client.delete(own)).status_code == 404
    administrator = await browsers("eve", Role.ADMIN)
    page = others.replace("/api/v1", "")
    assert "Remove this check" in (await administrator.client.get(page, headers=HTML)).text
    assert "Remove this check" not in (await api.client.get(page, headers={**HTML, **BOB})).text
    async with engine.connect() as connection:
        removals = text(
            "SELECT actor, detail FROM gateway.audit_log WHERE action = 'remove_check' AND outcome = 'done'"
        )
        logged = [tuple(row) for row in await connection.execute(removals)]
    assert logged == [("program:ada", "check of small by program:ada: 1 of 3 within")]
    assert (await administrator.ask("DELETE", others.removeprefix("/api/v1"))).status_code == 204
    assert (await api.get("/checks")).json() == {"checks": [], "calibration": []}


async def test_a_check_is_kept_though_its_session_is_removed_meanwhile(
    api, engine, scanned, eventually, monkeypatch
):
    """As one whose session is removed later."""
    session_id = await rehearsed(api, eventually)
    keep = repository.keep

    async def overtaken(*which):
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM gateway.dryrun_sessions"))
        return await keep(*which)

    monkeypatch.setattr(repository, "keep", overtaken)
    answer = await api.post(f"/sessions/{session_id}/checks", json={"outcome": OUTCOME})
    assert (answer.status_code, answer.json()["session_id"]) == (201, None)
    assert len((await api.get("/checks")).json()["checks"]) == 1
