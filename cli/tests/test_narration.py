"""Every event has a sentence."""

from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

from dryrun_cli.drawing.narration import _NARRATORS, narrate
from dryrun_contract.event import Event, EventData, EventRefused


def test_every_type_of_event_has_a_sentence():
    assert set(_NARRATORS) == set(get_args(get_args(EventData.__value__)[0]))


def test_an_event_that_was_not_stored_is_told_with_its_type_and_the_reason():
    refused = EventRefused(claimed_type="target_\x1b[31mpainted", size=7, reason="of an unknown type")
    event = Event(journal=UUID(int=1), seq=1, session_id=UUID(int=2), at=datetime.now(UTC), data=refused)
    assert narrate(event, {}) == (
        "warning    an event of the type target_\\x1b[31mpainted was not stored: of an unknown type"
    )
