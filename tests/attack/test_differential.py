"""What the guard lets through creates exactly the requested object in the engine, and nothing else."""

from collections.abc import Mapping
from typing import Any

import pytest
from guard_lab import Lab
from sessions_lab import LabSession, lab_session
from vectors import row

pytestmark = pytest.mark.engine

_OWN = {"Id", "Name", "Created", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "GraphDriver"}
"""What differs between any two containers."""

_CLI_DEFAULTS: Mapping[str, Any] = {
    "Binds": None,
    "ContainerIDFile": "",
    "PortBindings": {},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "ConsoleSize": [0, 0],
    "Dns": [],
    "DnsOptions": [],
    "DnsSearch": [],
    "ExtraHosts": None,
    "GroupAdd": None,
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 0,
    "Isolation": "",
    "CpuShares": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": [],
    "BlkioDeviceReadBps": [],
    "BlkioDeviceWriteBps": [],
    "BlkioDeviceReadIOps": [],
    "BlkioDeviceWriteIOps": [],
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": [],
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "MemoryReservation": 0,
    "MemorySwappiness": -1,
    "OomKillDisable": False,
    "Ulimits": [],
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "MaskedPaths": None,
    "ReadonlyPaths": None,
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
}
"""HostConfig of `docker create`, version 26, without flags."""

_REQUESTS: dict[str, tuple[Any, Any]] = {
    "target": (row.container(), row.container()),
    "target-by-name": (row.container(Image="@IMAGE_NAME@"), row.container()),
    "collector": (row.collector(), row.collector()),
    "no-environment": (row.container(Env=None), row.container(Env=None)),
    "half-the-limits": (
        row.host(Memory=2**28, MemorySwap=2**28, NanoCpus=250_000_000, PidsLimit=50),
        row.host(Memory=2**28, MemorySwap=2**28, NanoCpus=250_000_000, PidsLimit=50),
    ),
    "two-aliases": (row.endpoint(Aliases=["a", "b"]), row.endpoint(Aliases=["a", "b"])),
    "defaults-of-the-docker-cli": (
        row.host(**_CLI_DEFAULTS) | {"Cmd": None, "Hostname": ""},
        row.container(),
    ),
}
"""What is asked of the guard, and what the engine is asked for directly: it has to come to the same."""


@pytest.fixture
def session(lab: Lab) -> Any:
    with lab_session(lab) as made:
        yield made


def _normal(document: Mapping[str, Any], network: str, network_id: str) -> dict[str, Any]:
    found = {key: value for key, value in document.items() if key not in _OWN}
    container = document["Id"]
    assert found["Config"].pop("Hostname") == container[:12]
    # By name or by id, both are the session's network.
    assert found["HostConfig"].pop("NetworkMode") in (network, network_id)
    assert list(found["NetworkSettings"]["Networks"]) in ([network], [network_id])
    (endpoint,) = found["NetworkSettings"]["Networks"].values()
    found["NetworkSettings"]["Networks"] = {"the session's": endpoint}
    endpoint["DNSNames"] = sorted(set(endpoint["DNSNames"] or ()) - {container[:12], document["Name"][1:]})
    endpoint["Aliases"] = sorted(set(endpoint["Aliases"] or ()) - {container[:12]})
    found["HostConfig"]["CapAdd"] = found["HostConfig"]["CapAdd"] or []
    return found


@pytest.mark.parametrize("name", _REQUESTS)
def test_the_container_is_as_requested(name: str, lab: Lab, session: LabSession) -> None:
    asked, plain = _REQUESTS[name]
    (network,) = session.ids("networks")
    guarded = f"dryrun-attack-{lab.nonce}-guarded-{name}"
    direct = f"dryrun-attack-{lab.nonce}-direct-{name}"
    made = lab.guard.must(
        "POST", f"{row.API}/containers/create?name={guarded}", session.body(asked, address=True)
    )
    by_engine = lab.engine.must(
        "POST", f"/containers/create?name={direct}", session.body(plain, address=True)
    )
    documents = [lab.engine.get(f"/containers/{each['Id']}/json") for each in (made, by_engine)]
    normal = [_normal(document, session.facts["NETWORK"], network) for document in documents]
    assert normal[0] == normal[1]


def test_the_network_is_as_requested(lab: Lab, session: LabSession) -> None:
    guarded = lab.engine.get(f"/networks/{session.facts['NETWORK']}")
    body = session.network_body()
    session.remove()
    lab.engine.must("POST", "/networks/create", body)
    direct = lab.engine.get(f"/networks/{session.facts['NETWORK']}")
    own = {"Id", "Created"}
    assert {key: value for key, value in guarded.items() if key not in own} == {
        key: value for key, value in direct.items() if key not in own
    }


def test_answers_are_the_engines_own(lab: Lab) -> None:
    target = f"{row.API}/containers/{lab.facts['OTHER_TARGET_ID']}"
    network = f"{row.API}/networks/{lab.facts['OTHER_NETWORK_ID']}"
    for path in (f"{target}/json", network):
        assert lab.guard.must("GET", path) == lab.engine.get(path.removeprefix(row.API))
    shown, whole = lab.guard.must("GET", "/version"), lab.engine.get("/version")
    assert all(whole[key] == value for key, value in shown.items() if key != "MinAPIVersion")


def test_listing_is_the_engines_own_less_what_is_foreign(lab: Lab) -> None:
    def by_id(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        sessions = {lab.facts["SESSION"], lab.facts["OTHER_SESSION"]}
        listed = [
            each for each in found if (each["Labels"] or {}).get("discovery.dryrun.session_id") in sessions
        ]
        return {each["Id"]: {key: value for key, value in each.items() if key != "Status"} for each in listed}

    through = lab.guard.must("GET", f"{row.API}/containers/json?all=1")
    assert by_id(through) == by_id(lab.engine.containers())
    assert len(by_id(through)) == 2
    assert not {found["Id"] for found in through} & set(lab.victims)
    networks = lab.guard.must("GET", f"{row.API}/networks")
    assert by_id(networks) == by_id(lab.engine.networks())
    assert not {found["Id"] for found in networks} & set(lab.victim_networks)
    assert not {found["Name"] for found in networks} & {"bridge", "host", "none"}
