import shutil
from ipaddress import IPv4Network

import pytest

from dryrun_local.doctor import machine_checks


@pytest.mark.parametrize(
    ("interface", "route", "state"),
    [
        ("eth0", "0.0.0.0/0", "ok"),  # the default route leads everywhere, and is the last to be asked
        ("eth0", "192.0.2.0/24", "ok"),
        ("dr-0123456789ab", "10.213.0.0/27", "ok"),  # a session's own bridge
        ("vpn0", "10.213.4.0/24", "note"),
        ("vpn0", "10.0.0.0/8", "note"),
    ],
)
def test_names_a_host_route_into_the_pool(interface, route, state):
    finding = machine_checks.subnet_pool("10.213.0.0/16", [(interface, IPv4Network(route))])
    assert finding.state == state
    if state == "note":
        assert f"{route} by {interface}" in finding.detail


def test_names_a_pool_that_is_not_a_network():
    assert machine_checks.subnet_pool("10.213.0.1/16", []).state == "missing"


def test_names_a_disk_without_room(monkeypatch, tmp_path):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12 - 10**9, 10**9)
    )
    finding = machine_checks.disk("disk", tmp_path / "not" / "yet" / "there")
    assert finding.state == "missing"
    assert "1.0 GB free" in finding.detail
