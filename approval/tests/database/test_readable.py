"""What another version stored hides no other row of any list."""

import pytest
from made_deliveries import approve_discoveries
from made_experiments import request
from sqlalchemy import text
from stored_check import store_check

from approval_api.identity.roles import Role


async def newer(engine, table, column, which):
    """Give a stored document a field that only another version knows."""
    changed = f"{column} = {column}::jsonb || '{{\"of_tomorrow\": 1}}'"
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE gateway.{table} SET {changed} WHERE id = :id"), {"id": which})


def says_whose_it_is(answer, what):
    """Whether an answer about one row says why it cannot be shown, and what to do."""
    said = answer.json()
    return (
        (answer.status_code, said["type"]) == (503, "urn:dryrun:problem:unreadable")
        and said["detail"].startswith(f"another version stored {what}, which this one cannot read: ")
        and "remove it and make it again" in said["detail"]
    )


async def test_an_experiment_of_another_version_hides_no_other_and_ends_no_list(api, engine, caplog):
    made = [(await request(api, name=f"e{number}"))["id"] for number in range(4)]
    for number in (1, 3):
        await newer(engine, "experiments", "request", made[number])
    listed = (await api.get("/experiments")).json()
    assert [each["id"] for each in listed["experiments"]] == [made[2], made[0]]
    assert "an experiment of another version is left out" in caplog.messages
    assert says_whose_it_is(await api.get(f"/experiments/{made[1]}"), "this experiment")
    # Two rows a page: each has one that cannot be read, and the list goes on behind it.
    first = (await api.get("/experiments", params={"limit": 2})).json()
    then = (await api.get("/experiments", params={"limit": 2, "cursor": first["next"]})).json()
    assert [[each["id"] for each in page["experiments"]] for page in (first, then)] == [[made[2]], [made[0]]]
    assert then["next"] is None
    assert (await api.client.get("/dryrun/experiments", headers={"Accept": "text/html"})).status_code == 200


@pytest.mark.parametrize(
    ("table", "path", "wanted", "name"),
    [
        ("destinations", "/production/destinations", {"kind": "ndjson", "kinds": ["host"]}, "destinations"),
        (
            "channels",
            "/me/channels",
            {"kind": "webhook", "address": "https://hooks.example/x", "occasions": ["session_failed"]},
            "channels",
        ),
    ],
)
async def test_a_destination_or_channel_of_another_version_hides_no_other(
    browsers, engine, table, path, wanted, name
):
    ada = await browsers("ada", Role.ADMIN, Role.OPERATOR, Role.APPROVER)
    for each in ("one", "two"):
        answer = await ada.ask("POST", path, json={"name": each, **wanted})
        assert answer.status_code == 201, answer.text
    ids = [each["id"] for each in (await ada.ask("GET", path)).json()[name]]
    deliveries = []
    if table == "destinations":
        await approve_discoveries(engine, ("host", "192.0.2.1", "{}"))
        for each in ids:
            made = await ada.ask("POST", f"{path}/{each}/deliveries")
            assert made.status_code == 201, made.text
            deliveries.append(made.json()["id"])
    await newer(engine, table, "request", ids[0])
    assert [each["id"] for each in (await ada.ask("GET", path)).json()[name]] == ids[1:]
    if table == "destinations":
        listed = (await ada.ask("GET", "/production/deliveries")).json()["deliveries"]
        gone = await ada.ask("GET", f"/production/deliveries/{deliveries[0]}")
        assert says_whose_it_is(gone, "this delivery's destination")
        assert says_whose_it_is(await ada.ask("POST", f"{path}/{ids[0]}/check"), "this destination")
        assert [each["destination_id"] for each in listed] == ids[1:]
        assert (await ada.client.get("/production/deliveries")).status_code == 200
        assert (await ada.ask("DELETE", f"{path}/{ids[0]}")).status_code == 204


async def test_a_check_of_another_version_hides_no_other_and_holds_up_no_new_one(api, engine, browsers):
    one, two = [await store_check(engine, await api.start()) for _ in range(2)]
    await newer(engine, "forecast_checks", "comparison", one)
    listed = (await api.get("/checks")).json()["checks"]
    assert [each["id"] for each in listed] == [two]
    assert says_whose_it_is(await api.get(f"/checks/{one}"), "this check")
    answer = await api.client.delete(f"/api/v1/dryrun/checks/{one}")
    assert (answer.status_code, answer.json()["detail"].split(" made ")[0]) == (403, "ada")
    administrator = await browsers("grace", Role.ADMIN)
    assert (await administrator.ask("DELETE", f"/dryrun/checks/{one}")).status_code == 204
    assert (await api.get(f"/checks/{one}")).status_code == 404
