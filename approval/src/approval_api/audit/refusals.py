"""Refused commands: each person's have a line each up to a rate, and are counted in one line beyond it.

Without that, whoever is refused 50 times a second adds four million lines a day, each of which is kept for 90
days at least. Every refusal is in the log of the service as well.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.audit.entry import AuditOutcome, Entry, keep, write
from approval_api.database.errors import DATABASE_ERRORS
from approval_api.database.rounds import work_in_rounds
from dryrun_serving.rate_limit import RateLimit

ACTION = "refused_commands"
"""Name of a line that counts, in the audit log."""
LINES_AT_ONCE, LINES_PER_SECOND = 200, 1 / 6
"""Refusals of one person that have a line each: these at once, and ten a minute for ever."""
EVERY_SECONDS = 60.0
"""How often what was counted is written, a line for each person."""
MOST_ADDRESSES = 5


@dataclass(slots=True)
class _Counted:
    """Refusals of one person that have no line of their own."""

    newest: Entry
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    until: datetime = field(default_factory=lambda: datetime.now(UTC))
    kinds: Counter[str] = field(default_factory=Counter)
    addresses: dict[str | None, None] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        self.newest, self.until = entry, datetime.now(UTC)
        self.kinds[f"{entry.action} {(entry.detail or '').rpartition(':')[2]}"] += 1
        if len(self.addresses) < MOST_ADDRESSES:
            self.addresses[entry.address] = None

    def join(self, later: "_Counted") -> None:
        self.newest, self.until = later.newest, later.until
        self.kinds += later.kinds
        self.addresses |= later.addresses

    def entry(self) -> Entry:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common())
        addresses = ", ".join(filter(None, self.addresses))
        return Entry(
            action=ACTION,
            outcome=AuditOutcome.REFUSED,
            actor=self.newest.actor,
            proof=self.newest.proof,
            detail=f"{self.kinds.total()} more from {self.since:%H:%M:%S} to {self.until:%H:%M:%S} UTC, "
            f"from {addresses}: {kinds}",
            address=self.newest.address,
            request_id=self.newest.request_id,
        )


class Refusals:
    """Decides which refusals get a line, and counts the others until they are written."""

    def __init__(self, *, at_once: int = LINES_AT_ONCE, per_second: float = LINES_PER_SECOND) -> None:
        """Start with nothing counted."""
        self._lines = RateLimit(per_second, at_once)
        self._counted: dict[str | None, _Counted] = {}

    def has_line(self, refused: Entry) -> bool:
        """Return whether a refusal is written as a line of its own; otherwise it is counted."""
        if not self._lines.wait(str(refused.actor)):
            return True
        self._counted.setdefault(refused.actor, _Counted(refused)).add(refused)
        return False

    async def write(self, engine: AsyncEngine) -> None:
        """Write what is counted. Raises DATABASE_ERRORS; it is counted on then."""
        if not self._counted:
            return
        writing, self._counted = self._counted, {}
        try:
            async with engine.begin() as connection:
                for each in writing.values():
                    await write(connection, each.entry())
        except BaseException:
            for actor, later in self._counted.items():
                writing.setdefault(actor, later)
                if writing[actor] is not later:
                    writing[actor].join(later)
            self._counted = writing
            raise

    async def run(self, engine: AsyncEngine) -> None:
        """Write what is counted every `EVERY_SECONDS`, until cancelled."""
        await work_in_rounds(partial(self.write, engine), "counted refusals", every=EVERY_SECONDS)

    async def write_last(self, engine: AsyncEngine) -> None:
        """Write what is counted, in the service's log when the database is away."""
        try:
            await self.write(engine)
        except DATABASE_ERRORS as error:
            for each in self._counted.values():
                keep(each.entry(), error)
