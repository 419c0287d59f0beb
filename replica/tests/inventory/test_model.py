from itertools import pairwise

import pytest
from made_networks import host, network, service
from pydantic import ValidationError

from dryrun_replica.inventory.model import Host, Service
from dryrun_replica.levels import LEVELS


@pytest.mark.parametrize("port", [0, 70000, -1])
def test_a_port_that_cannot_be_is_refused(port):
    with pytest.raises(ValidationError, match="port"):
        service(port)


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\x1b[31m", "$(reboot)", "`id`", "a; rm -rf /", "${HOME}", "a\\nRUN", "=cmd|' /C calc'!A0"],
)
@pytest.mark.parametrize("field", ["product", "version", "name"])
def test_no_field_that_names_software_holds_what_a_program_could_read_as_its_own(field, text):
    with pytest.raises(ValidationError, match=field):
        Service.model_validate({"port": 80, field: text})


def test_a_host_has_each_place_once():
    with pytest.raises(ValidationError, match="each once"):
        Host(name="web-1", role="web", services=(service(80), service(80)))


def test_two_hosts_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="one name"):
        network(host("web-1"), host("web-1"))


def test_levels_go_from_the_best_to_the_worst():
    assert [level.value for level in LEVELS] == [
        "same_version",
        "same_product",
        "relative",
        "banner",
        "nothing",
    ]
    assert all(better.is_real_software >= worse.is_real_software for better, worse in pairwise(LEVELS))
