"""A page of sessions, as this API's clients see it."""

from dryrun_contract.base import Word
from dryrun_contract.session import SessionView


class SessionList(Word):
    """Newest first; `next` is the cursor of the next page, null on the last."""

    sessions: tuple[SessionView, ...]
    next: str | None
