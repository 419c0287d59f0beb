from datetime import datetime

import pytest
from pydantic import ValidationError

from dryrun_contract.session import SessionRequest
from dryrun_contract.template import TemplateService


@pytest.mark.parametrize(
    "fields",
    [
        {"template": "../small"},
        {"template": "small", "image": "discovery/test-nginx"},
        {"template": "small", "seed": 10000},
        {"template": "small", "compose": "services: {}"},
    ],
)
def test_a_request_holds_a_template_a_seed_and_keep_and_nothing_else(fields):
    with pytest.raises(ValidationError):
        SessionRequest.model_validate(fields)


def test_a_value_of_the_contract_is_immutable():
    service = TemplateService(name="db", image="discovery/test-postgres:17")
    with pytest.raises(ValidationError):
        service.name = "web"


def test_a_time_without_a_zone_is_refused():
    from dryrun_contract.event import NetworkCreated

    with pytest.raises(ValidationError, match="needs a zone"):
        NetworkCreated(name="n", subnet="10.0.0.0/27", expires_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the point
