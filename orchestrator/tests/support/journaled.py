"""Sessions and events as a journal stores them."""

import resource
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

from dryrun_contract.event import Event, SessionQueued
from dryrun_contract.session import Phase
from dryrun_orchestrator.journal.records import SessionRecord

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
QUEUED = SessionQueued(template="small", template_digest="sha256:0", seed=0, keep=False, actor="ada")


def a_session(**changes):
    return SessionRecord(
        **{
            "id": uuid4(),
            "template": "small",
            "template_digest": "sha256:0",
            "seed": 0,
            "keep": False,
            "actor": "ada",
            "phase": Phase.QUEUED,
            "phase_since": NOW,
            "created_at": NOW,
            **changes,
        }
    )


def numbers(page):
    return [Event.model_validate_json(event).seq for event in page]


@contextmanager
def full(file):
    """Let no file of this process grow beyond this one's size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
