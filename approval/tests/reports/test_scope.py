import pytest

from approval_api.reports.criteria import Criteria, judge
from dryrun_contract import event as words
from dryrun_contract.discovery import Discovery


def without(happened, kind):
    return [(at, data) for at, data in happened if not isinstance(data, kind)]


async def test_a_scan_in_an_isolated_network_that_reports_nothing_else_kept_its_scope(report):
    assert report.scope.kept is True
    assert report.scope.outside == ()


@pytest.mark.parametrize("key", ["10.99.0.1", "192.168.1.1:80/tcp", "[fd00::1]:22/tcp"])
async def test_what_is_reported_about_addresses_outside_breaks_the_scope(report_of, story_events, key):
    elsewhere = words.DiscoveryReported(
        collector="nmap", run="nmap-1", line=9, discovery=Discovery(kind="host", key=key)
    )
    report = await report_of([*story_events(), (8, elsewhere)])
    assert report.scope.kept is False
    assert report.scope.outside == (key,)
    (result,) = judge(report, Criteria(scope=True)).results
    assert (result.criterion, result.status) == ("scope", "failed")


async def test_an_address_of_the_network_that_is_written_as_ipv6_lies_inside(report_of, story_events):
    inside = Discovery(kind="service", key="[::ffff:10.213.0.3]:81/tcp")
    found = words.DiscoveryReported(collector="nmap", run="nmap-1", line=9, discovery=inside)
    report = await report_of([*story_events(), (8, found)])
    assert (report.scope.kept, report.scope.outside) == (True, ())


async def test_a_network_that_was_not_isolated_kept_no_scope(report_of, story_events):
    probed = (1, words.IsolationProbed(isolated=False, detail="the host answers"))
    report = await report_of([*without(story_events(), words.IsolationProbed), probed])
    assert report.scope.kept is False


async def test_without_a_probe_the_scope_is_not_measured(report_of, story_events):
    report = await report_of(without(story_events(), words.IsolationProbed))
    assert report.scope.kept is None
    (result,) = judge(report, Criteria(scope=True)).results
    assert result.status == "not_measured"
