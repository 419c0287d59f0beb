import pytest

from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer
from discovery_collectors.collectors.network.second_opinion.openstack_names import openstack

DESIGNATE = (
    '{"versions":[{"id":"v2","links":[{"href":"http://x/v2","rel":"self"},'
    '{"href":"https://docs.openstack.org/api-ref/dns","rel":"help"}],"status":"CURRENT"}]}'
)
BARBICAN = (
    '{"versions": {"values": [{"id": "v1", "links": [{"href": "https://docs.openstack.org/"}], '
    '"media-types": [{"type": "application/vnd.openstack.key-manager-v1+json"}]}]}}'
)
CINDER = '{"versions": [{"media-types": [{"type": "application/vnd.openstack.volume+json;version=3"}]}]}'
HEAT = (
    '{"versions": [{"id": "v1.0", "status": "CURRENT", "links": [{"rel": "self", "href": "http://x/v1/"}]}]}'
)


def named(body: str, header: str = "") -> str:
    answer = HttpAnswer.read(f"HTTP/1.1 300 Multiple Choices\r\n{header}\r\n{body}".encode())
    assert answer is not None
    return openstack(answer)


@pytest.mark.parametrize(
    ("body", "header", "service"),
    [
        ("{}", "OpenStack-API-Version: key-manager 1.0\r\n", "OpenStack Barbican"),
        (BARBICAN, "", "OpenStack Barbican"),
        (DESIGNATE, "", "OpenStack Designate"),
        (CINDER, "", "OpenStack Cinder"),
        ("{}", "X-OpenStack-Ironic-API-Version: 1.1\r\n", "OpenStack Ironic"),
        # None that is known, or stated by a service itself.
        ("{}", "OpenStack-API-Version: metering 2.1\r\n", ""),
        ("{}", "OpenStack-API-Version: compute\r\n", ""),
        ("{}", "X-OpenStack-Frob-API-Version: 1.1\r\n", ""),
        ("{}", "X-OpenStack-Request-Id: req-1\r\n", ""),
        (HEAT, "", ""),
        ("<p>" + BARBICAN, "", ""),
        (DESIGNATE.replace("docs.openstack.org", "openstack.example"), "", ""),
    ],
)
def test_a_service_of_openstack_is_called_by_the_type_that_it_states(body, header, service):
    assert named(body, header) == service
