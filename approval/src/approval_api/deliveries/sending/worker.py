"""Works on the outbox until it is stopped: each destination by itself, a few items at a time.

What may heal is repeated with growing pauses; what does not is put on the list that a person may send again.
A kill at any point loses nothing: the lease ends, and the item is repeated with the same message id.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.rounds import apart, work_in_rounds
from approval_api.deliveries.sending import outbox
from approval_api.deliveries.sending.outbox import Destination
from approval_api.deliveries.sending.sender import BusyError, Item, RefusedError, Result, Sender
from approval_api.egress.client import NotAnsweredError
from approval_api.egress.hosts import NotAllowedError
from dryrun_contract.delivery import DestinationRequest

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""Items of one destination."""
MOST_ATTEMPTS = 10
SECONDS_FOR_ONE = 60.0
"""Shorter than a lease."""
_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 3600.0
_LONGEST_REST = 300.0
"""Seconds for which a destination that does not answer is left alone; then it is tried again."""
_MOST_ROUNDS = 100_000

type MakeSender = Callable[[DestinationRequest], Sender]
"""Returns what speaks with a destination. Raises RefusedError when it cannot be spoken with."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt at one item says of its destination."""

    is_settled: bool
    """False when nothing came of it: no answer, or one that may be another later."""
    asked_for: float = 0.0
    """Seconds for which the whole destination wants to be left alone; 0 if it named none."""


_SETTLED = Attempt(is_settled=True)
_NOTHING_CAME = Attempt(is_settled=False)


class Deliverer:
    """One process that delivers."""

    def __init__(
        self,
        engine: AsyncEngine,
        make_sender: MakeSender,
        *,
        first_pause: float = _FIRST_PAUSE,
        looked: Callable[[], None] = lambda: None,
    ) -> None:
        """Work by `engine`, whose role is DELIVERY_ROLE; `first_pause` is in seconds.

        `looked` is called after each look at the outbox.
        """
        self._engine = engine
        self._looked = looked
        self._make_sender = make_sender
        self._first_pause = first_pause
        self._busy: dict[UUID, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Work until cancelled; wait for a database that is unreachable."""
        try:
            await work_in_rounds(self.work_once, "deliveries")
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def work_once(self) -> None:
        """Begin to work on every destination that something is due for, unless that is under way."""
        for destination_id in [each for each, task in self._busy.items() if task.done()]:
            self._busy.pop(destination_id).result()
        async with self._engine.connect() as connection:
            found = await outbox.due(connection)
        self._looked()
        for each in found:
            if each.id not in self._busy:
                work = apart(self.drain(each), "a destination", destination=str(each.id))
                self._busy[each.id] = asyncio.create_task(work)

    async def drain(self, destination: Destination) -> None:
        """Work on one destination until nothing is due, or the other side is better left alone."""
        sender = self._sender(destination)
        was_silent = destination.unanswered > 0
        for _ in range(_MOST_ROUNDS):
            # Before the claim, so that it is over before the leases are.
            until = asyncio.get_running_loop().time() + SECONDS_FOR_ONE
            async with self._engine.begin() as connection:
                items, taken = await outbox.claim(connection, destination.id, AT_ONCE)
            if not taken:
                return
            attempts = await asyncio.gather(*(self._work_on(item, sender, until) for item in items))
            asked_for = max((each.asked_for for each in attempts), default=0.0)
            if attempts and not any(each.is_settled for each in attempts):
                await self._rest(destination.id, asked_for)
                return
            if attempts and (was_silent or asked_for):
                was_silent = False
                async with self._engine.begin() as connection:
                    await outbox.store_answer(connection, destination.id, timedelta(seconds=asked_for))
            if asked_for:
                return

    async def _rest(self, destination_id: UUID, asked_for: float) -> None:
        """Leave a destination that did not answer alone for a while."""
        times = (asked_for, self._first_pause, _LONGEST_REST)
        async with self._engine.begin() as connection:
            await outbox.store_silence(
                connection, destination_id, *(timedelta(seconds=each) for each in times)
            )

    def _sender(self, destination: Destination) -> Sender | RefusedError:
        try:
            return self._make_sender(destination.request())
        except ValidationError:
            return RefusedError("another version stored this destination; remove it and add it again")
        except RefusedError as error:
            return error
        except NotAllowedError as error:
            return RefusedError(str(error))

    async def _work_on(self, item: Item, sender: Sender | RefusedError, until: float) -> Attempt:
        """Do one item, by `until` on the loop's clock."""
        if isinstance(sender, RefusedError) or item.attempts > MOST_ATTEMPTS:
            # Else what ends each process that takes it would do so for ever.
            ended = f"none of {MOST_ATTEMPTS} attempts came to an end; see this service's log"
            await self._give_up(item, str(sender) if isinstance(sender, RefusedError) else ended)
            return _SETTLED
        if asyncio.get_running_loop().time() >= until:
            # A process that was halted: another one may have sent this, and something newer after it.
            logger.warning("an item was claimed and not sent in time", extra={"item": item.id})
            return _NOTHING_CAME
        try:
            async with asyncio.timeout_at(until):
                act = sender.look if item.state == "checking" else sender.send
                result = await act(item)
        except (RefusedError, NotAllowedError) as error:
            await self._give_up(item, str(error))
        except BusyError as error:
            await self._try_again(item, str(error), error.seconds)
            return Attempt(is_settled=False, asked_for=error.seconds or 0.0)
        except (NotAnsweredError, TimeoutError) as error:
            await self._try_again(item, str(error) or f"not done within {SECONDS_FOR_ONE:g} s", None)
            return _NOTHING_CAME
        except Exception:
            logger.exception("an item could not be worked on", extra={"item": item.id})
            await self._try_again(item, "an error of this service; see its log", None)
        else:
            await self._store(item, result)
        return _SETTLED

    async def _store(self, item: Item, result: Result) -> None:
        async with self._engine.begin() as connection:
            if item.state == "checking":
                await outbox.store_check(connection, item, result)
            else:
                await outbox.store_delivery(connection, item, result)

    async def _try_again(self, item: Item, why: str, asked_for: float | None) -> None:
        if item.attempts >= MOST_ATTEMPTS:
            await self._give_up(item, f"given up after {item.attempts} attempts: {why}")
            return
        doubled = min(self._first_pause * 2 ** (item.attempts - 1), _LONGEST_PAUSE)
        # Spread, so that what failed together is not repeated together.
        pause = max(doubled * random.uniform(0.75, 1.25), asked_for or 0.0)  # noqa: S311  # no secret
        async with self._engine.begin() as connection:
            await outbox.pause(connection, item, why, pause)

    async def _give_up(self, item: Item, why: str) -> None:
        logger.warning("an item was given up", extra={"item": item.id, "reason": why})
        async with self._engine.begin() as connection:
            await outbox.give_up(connection, item, why)
