"""Each person has turns of their own, and who has used them up gets 429."""

from approval_api.app import create_app


async def test_who_asks_too_often_is_told_when_to_come_back_and_the_others_are_served(
    settings, orchestrator, serving
):
    few = settings.model_copy(update={"requests_per_second": 0.1, "requests_burst": 3})
    async with serving(create_app(few, orchestrator_transport=orchestrator)) as api:
        codes = [(await api.get("/criteria")).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        answer = await api.get("/criteria")
        assert answer.json()["type"] == "urn:dryrun:problem:too-many-requests"
        assert 1 <= int(seconds := answer.headers["retry-after"]) <= 10
        assert answer.json()["detail"].endswith(f"; try again in {seconds} s")
        bob = {"Authorization": "Bearer another-token-of-the-tests"}
        assert (await api.get("/criteria", headers=bob)).status_code == 200
        assert (await api.client.get("/livez")).status_code == 200
        strangers = [(await api.get("/criteria", headers={"Authorization": "Bearer x"})) for _ in range(4)]
        assert [answer.status_code for answer in strangers] == [401, 401, 401, 429]
