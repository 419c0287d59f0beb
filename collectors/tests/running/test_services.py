import pytest

from discovery_collectors.running.scope import Scope
from discovery_collectors.running.services import known_services
from dryrun_contract.discovery import Discovery

SCOPE = Scope.parse(["10.0.0.0/24"], ["10.0.0.9"])


def telling(key, confidence=0.9, kind="service", **data):
    return Discovery(kind=kind, key=key, data=data, confidence=confidence)


def known(emit, *tellings, wanted=lambda _: True):
    return list(known_services(tellings, SCOPE, emit, wanted))


def test_a_service_reported_often_is_one_with_each_attribute_from_the_most_confident_report(emit):
    (service,) = known(
        emit,
        telling("10.0.0.3:80/tcp", 0.9, name="http", method="probed"),
        telling("10.0.0.3:80/tcp", 0.27, name="www", method="table", extra="x"),
    )
    assert service.reported.data == {"name": "http", "method": "probed", "extra": "x"}
    assert (service.address, service.port) == ("10.0.0.3", 80)


def test_what_is_not_wanted_is_left_without_a_word(emit):
    assert known(emit, telling("192.0.2.1:80/tcp"), wanted=lambda _: False) == []
    assert emit.warnings == []


def test_hosts_and_other_kinds_are_no_services(emit):
    assert known(emit, telling("10.0.0.3", kind="host"), telling("10.0.0.3:80/tcp", kind="web_app")) == []


@pytest.mark.parametrize("host", ["10.0.0.9", "192.0.2.1", "web.example", "[fd00::1]"])
def test_what_lies_outside_the_scope_is_refused_with_a_warning(emit, host):
    assert known(emit, telling(f"{host}:80/tcp")) == []
    assert f"{host}:80/tcp is not inspected" in emit.warnings[0]


@pytest.mark.parametrize(
    ("data", "tls", "guessed"),
    [
        ({"name": "http", "method": "probed", "tls": True}, True, False),
        ({"name": "http", "method": "probed"}, False, False),
        ({"name": "https", "method": "table"}, True, True),
        ({"name": "https-alt", "method": "table"}, True, True),
        ({"name": "unknown", "method": "probed"}, False, True),
        ({}, False, True),
    ],
)
def test_tls_is_reported_or_suggested_by_the_port(emit, data, tls, guessed):
    (service,) = known(emit, telling("10.0.0.3:8443/tcp", **data))
    assert (service.reported.tls, service.reported.guessed) == (tls, guessed)
