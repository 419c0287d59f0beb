"""What an engine answers, read."""

import pytest

from dryrun_orchestrator.engine import docker_http
from dryrun_orchestrator.engine.docker_answers import container_detail_from, network_from, shape_checked
from dryrun_orchestrator.engine.docker_errors import Call
from dryrun_orchestrator.engine.errors import RejectedError


def inspected(health):
    state = {"Status": "running", "ExitCode": 0, "OOMKilled": False, "Health": health}
    return {
        "Id": "c" * 64,
        "Name": "/dryrun-one",
        "State": state,
        "NetworkSettings": {"Networks": {}},
        "Config": {"Labels": {}},
    }


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        (None, ""),
        ([], ""),
        ([{"ExitCode": 1, "Output": "refused\n"}, {"ExitCode": 0, "Output": "well"}], ""),
        ([{"ExitCode": 0, "Output": ""}, {"ExitCode": 1, "Output": "refused\n"}], "refused"),
        (
            [{"ExitCode": -1, "Output": "Health check exceeded timeout (2s)"}],
            "Health check exceeded timeout (2s)",
        ),
        ([{"ExitCode": 1, "Output": ""}], "exit code 1"),
    ],
)
def test_the_output_of_a_failed_health_check_is_reported(checks, said):
    detail = container_detail_from(inspected({"Status": "unhealthy", "Log": checks}))
    assert (detail.health, detail.failed_check) == ("unhealthy", said)


def test_an_image_without_a_health_check_has_none_that_failed():
    detail = container_detail_from(inspected(None))
    assert (detail.health, detail.failed_check) == ("none", "")


@pytest.mark.parametrize(
    "state",
    [
        {"StartedAt": "2026-12-01T10:00:00"},
        {"Status": "exited", "ExitCode": float("inf")},
        {"Status": "exited", "ExitCode": None},
    ],
)
def test_a_state_that_no_engine_would_report_is_no_engines_answer(state):
    answer = inspected(None)
    answer["State"] |= state
    with pytest.raises(RejectedError), shape_checked(Call("GET", "/containers/c/json")):
        container_detail_from(answer)


@pytest.mark.parametrize("item", [{"Id": 5}, {"Name": None}, {"Labels": {"a": 5}}])
def test_a_network_without_texts_is_no_engines_answer(item):
    known = {"Id": "n", "Name": "dryrun-one", "Driver": "bridge", "Labels": {"a": "5"}}
    assert network_from(known).labels == {"a": "5"}
    with pytest.raises(RejectedError), shape_checked(Call("GET", "/networks")):
        network_from(known | item)


@pytest.mark.parametrize("answer", [b"[" + b"[]," * 500_001 + b"[]]", b"[" * 40 + b"]" * 40])
def test_an_answer_made_to_grow_is_refused_before_it_becomes_values(answer):
    with pytest.raises(RejectedError, match=r"more than 500000 values|nested deeper than 32"):
        docker_http._parse_json(Call("GET", "/containers/json"), answer)


@pytest.mark.parametrize("subnet", ["x", "", "fd00::/64", {"a": 1}, 7.5, "10.213.0.4/32", "10.213.0.0/99"])
def test_an_overlay_whose_subnet_has_no_halves_is_no_engines_answer(subnet):
    item = {"Id": "n", "Name": "dryrun-one", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": subnet}]}}
    with pytest.raises(RejectedError), shape_checked(Call("GET", "/networks")):
        network_from(item)
