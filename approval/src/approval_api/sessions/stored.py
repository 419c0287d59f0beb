"""A session with everything its report and its page need."""

from dataclasses import dataclass

from dryrun_contract.session import SessionView
from dryrun_contract.template import Template


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as stored."""

    view: SessionView
    template: Template | None
    """As it was at the start, ground truth included; None when this API did not start the session."""
    history_complete: bool
