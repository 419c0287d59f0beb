import pytest
from pydantic import ValidationError

from dryrun_contract.faults import faults_of, first_fault
from dryrun_contract.production import RuleRequest

RULE = {
    "name": "lab",
    "collectors": ["network"],
    "reporters": ["program:lab"],
    "kinds": ["service"],
    "subnets": ["192.0.2.0/24"],
    "min_confidence": 0.9,
}


def test_a_value_of_several_forms_is_one_fault_at_the_place_that_its_author_knows():
    with pytest.raises(ValidationError) as refused:
        RuleRequest.model_validate({**RULE, "attributes": {"product": "nginx"}})
    assert first_fault(refused.value) == "attributes.product: must be a list or 'any'"
    assert len(faults_of(refused.value.errors())) == 1


def test_a_fault_of_several_fields_together_is_the_reason_alone():
    with pytest.raises(ValidationError) as refused:
        RuleRequest.model_validate({**RULE, "kinds": ["nothing"]})
    assert first_fault(refused.value).startswith("the document: there is no kind 'nothing'")
