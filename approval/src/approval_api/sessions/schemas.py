"""One page of the list of sessions, as clients of this API get it."""

from dryrun_contract.base import Word
from dryrun_contract.session import SessionView


class SessionList(Word):
    """Newest first; `next` is the cursor of the next page, null on the last."""

    sessions: tuple[SessionView, ...]
    next: str | None
