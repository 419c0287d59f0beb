from datetime import date

import pytest
from fake_orchestrator import SMALL
from made_rehearsals import census, host_class, service
from pydantic import ValidationError

from approval_api.reports.forecast import PACKETS_PER_EMPTY_ADDRESS, ForecastQuestion
from approval_api.reports.html import render_html_file
from dryrun_contract import event as words
from dryrun_contract.census import CensusClass
from dryrun_contract.template import Levels, StandsFor


def lines(report):
    return {line.name: line for line in report.forecast.lines}


async def test_figures_grow_with_the_hosts_between_the_least_and_the_most_affected_target(report_of):
    report = await report_of(question=ForecastQuestion(hosts=62, cidr="10.1.0.0/26"))
    packets = lines(report)["packets"]
    assert (packets.low, packets.expected, packets.high) == (62_000, 124_000, 186_000)
    assert lines(report)["failed logins"].expected == 3 * 62
    assert lines(report)["duration"].expected == 5 * 62 / 2


async def test_addresses_that_nobody_has_cost_packets_too(report_of):
    report = await report_of(question=ForecastQuestion(hosts=10, cidr="10.1.0.0/24"))
    assert lines(report)["packets"].expected == 20_000 + 244 * PACKETS_PER_EMPTY_ADDRESS


async def test_what_was_not_measured_is_not_forecast(report_of, story_events):
    happened = [(at, data) for at, data in story_events() if not isinstance(data, words.TargetLogsMeasured)]
    line = lines(await report_of(happened))["connections"]
    assert (line.expected, line.basis) == (None, "not measured in this session")


@pytest.mark.parametrize("partial", [{"truncated": True}, {"note": "the target died"}])
async def test_what_a_log_read_in_part_shows_is_forecast_as_at_least(report_of, story_events, partial):
    def changed(data):
        if not isinstance(data, words.TargetLogsMeasured):
            return data
        return data.model_copy(
            update={"targets": data.targets | {"db": data.targets["db"].model_copy(update=partial)}}
        )

    whole = lines(await report_of())["failed logins"]
    assert (whole.at_least, whole.high) == (False, whole.expected)
    report = await report_of([(at, changed(data)) for at, data in story_events()])
    line = lines(report)["failed logins"]
    assert (line.at_least, line.expected, line.high) == (True, whole.expected, None)
    assert line.basis.endswith("; at least, as a log was not read to its end")
    shown = render_html_file(report)
    assert f"at least {line.expected:,.0f}" in shown
    assert lines(report)["packets"].at_least is False


async def test_of_a_log_that_was_not_searched_the_forecast_knows_no_most(report_of, story_events):
    def changed(data):
        if not isinstance(data, words.TargetLogsMeasured):
            return data
        missed = data.targets["web"].model_copy(update={"not_searched": ("failed_logins",)})
        return data.model_copy(update={"targets": data.targets | {"web": missed}})

    line = lines(await report_of([(at, changed(data)) for at, data in story_events()]))["failed logins"]
    assert (line.at_least, line.expected, line.high) == (False, 3 * 254, None)
    assert line.basis.endswith("from 1 of them; 1 more could not be searched for them")


@pytest.mark.parametrize("partial", [{}, {"truncated": True}])
async def test_the_forecast_of_a_real_network_says_at_least_for_a_log_read_in_part(
    report_of, story_events, partial
):
    made = CensusClass(name="a", hosts=10, targets=("db",), services=(service("5432/tcp"),))
    levels = Levels(same_version=10, same_product=0, relative=0, banner=0, nothing=0)
    known = StandsFor(made_from="a", made_on=date(2026, 11, 26), hosts=10, levels=levels, census=census(made))
    happened = [
        (at, data)
        if not isinstance(data, words.TargetLogsMeasured)
        else (at, words.TargetLogsMeasured(targets={"db": data.targets["db"].model_copy(update=partial)}))
        for at, data in story_events()
    ]
    report = await report_of(happened, stands_for=known)
    (logins,) = [each for each in report.network_forecast.quantities if each.name == "failed_logins"]
    assert (logins.at_least, logins.expected.value) == (bool(partial), 30)
    assert ("at least 30" in render_html_file(report)) == bool(partial)


async def test_without_traffic_there_is_no_forecast(report_of, story_events):
    happened = [(at, data) for at, data in story_events() if not isinstance(data, words.TrafficMeasured)]
    assert (await report_of(happened)).forecast is None


@pytest.mark.parametrize(
    ("question", "hosts", "network"),
    [
        ({}, 254, "10.0.0.0/24"),
        ({"hosts": 255}, 255, "10.0.0.0/23"),
        ({"hosts": 1}, 1, "10.0.0.0/30"),
        ({"cidr": "192.0.2.0/28"}, 14, "192.0.2.0/28"),
        ({"hosts": 14, "cidr": "192.0.2.0/28"}, 14, "192.0.2.0/28"),
        ({"hosts": 1_000_000}, 1_000_000, "10.0.0.0/12"),
        ({"cidr": "192.0.2.1/32"}, 1, "192.0.2.1/32"),
    ],
)
def test_what_a_question_leaves_out_is_filled_in(question, hosts, network):
    answered, found = ForecastQuestion(**question).complete()
    assert (answered, str(found)) == (hosts, network)


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/7", "192.0.2.7/28", "fd00::/64", "10.0.0", "", "=cmd|' /C calc'!A0"]
)
def test_what_is_no_network_is_refused(cidr):
    with pytest.raises(ValidationError):
        ForecastQuestion(cidr=cidr)


def test_more_hosts_than_the_network_has_addresses_are_refused():
    with pytest.raises(
        ValidationError, match=r"900 hosts have no room in 10\.20\.0\.0/24, which has .* for 254"
    ):
        ForecastQuestion(hosts=900, cidr="10.20.0.0/24")


async def test_the_endpoint_takes_the_question(api, orchestrator):
    session_id = await api.start()
    answer = await api.get(f"/sessions/{session_id}/report", params={"forecast_cidr": "fd00::/64"})
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["where"] == "query.forecast_cidr"
    answer = await api.get(f"/sessions/{session_id}/report", params={"forecast_hosts": 20})
    assert (answer.status_code, answer.json()["forecast"]) == (200, None)


async def test_the_endpoint_refuses_hosts_without_room_with_the_reason(api, orchestrator):
    session_id = await api.start()
    answer = await api.get(f"/sessions/{session_id}/report?forecast_hosts=900&forecast_cidr=10.20.0.0/24")
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["where"] == "query.forecast_hosts"
    assert "for 254; forecast for a wider network" in answer.json()["detail"]


@pytest.mark.parametrize("question", [{"forecast_hosts": 48}, {"forecast_cidr": "10.20.0.0/24"}])
async def test_no_second_forecast_beside_that_of_the_network_that_a_template_stands_for(
    api, orchestrator, question
):
    made = host_class("a", 48, 1, service())
    levels = Levels(same_version=48, same_product=0, relative=0, banner=0, nothing=0)
    known = StandsFor(
        made_from="a table", made_on=date(2026, 11, 26), hosts=48, levels=levels, census=census(made)
    )
    orchestrator.templates = {SMALL.id: SMALL.model_copy(update={"stands_for": known})}
    session_id = await api.start()
    for form in ("json", "markdown"):
        answer = await api.get(f"/sessions/{session_id}/report", params={**question, "format": form})
        assert answer.status_code == 422
        assert "small stands for a network of 48 hosts" in answer.json()["detail"]
        assert "--forecast-hosts" in answer.json()["detail"]
    assert (await api.get(f"/sessions/{session_id}/report")).status_code == 200
    # Of a version that counted no network: nothing else forecasts it.
    old = known.model_copy(update={"census": None})
    orchestrator.templates = {SMALL.id: SMALL.model_copy(update={"stands_for": old})}
    session_id = await api.start()
    assert (await api.get(f"/sessions/{session_id}/report", params=question)).status_code == 200
