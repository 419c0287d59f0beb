"""The sentence that a page shows after a decision."""

import pytest

from approval_api.discoveries.decisions import Decided, Decision
from approval_api.pages.discoveries.lists import decision_message

APPROVE = Decision.model_validate({"decision": "approved", "discoveries": [{"id": 1, "revision": 1}]})


@pytest.mark.parametrize(
    ("changed", "unknown", "rest"),
    [
        ((), (), ""),
        ((2,), (), " 1 changed after you loaded this page. Review it again."),
        ((2, 3), (), " 2 changed after you loaded this page. Review them again."),
        ((), (4,), " 1 no longer exists."),
        ((), (4, 5), " 2 no longer exist."),
    ],
)
def test_a_decision_says_what_changed_and_what_no_longer_exists(changed, unknown, rest):
    decided = Decided(decided=(1,), changed=changed, unknown=unknown)
    assert decision_message(APPROVE, decided) == f"1 discovery approved.{rest}"
