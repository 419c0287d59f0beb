"""Work in a process of its own, one task at a time: its processor time and memory are not the server's.

A task is a list of byte strings, its first the task's name. An answer begins with `more`, or `last` when the
process ends with it, then `done` or `failed`, then the result or the reason. Neither contains code: a
worker's input comes from collectors, and its answer is trusted no more than that.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

from approval_api.web.bulkhead import RETRY_SECONDS, Bulkhead
from approval_api.web.problems import ProblemError

_NUMBER = 8
_MOST_PARTS = 8
_FROM_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ")
"""No secret of this service is in the worker's environment."""


class WorkFailedError(Exception):
    """The task failed; the message states the reason for people."""


class WorkerProcess:
    """Runs `python -m MODULE`, from the first task on; one that exceeds its time or dies is replaced."""

    def __init__(self, module: str, what: str, *, seconds: float, waiting: int, answer_bytes: int) -> None:
        """Give each task `seconds` and its answer `answer_bytes`; at most `waiting` tasks wait."""
        self._module = module
        self._what = what
        self._seconds = seconds
        self._answer_bytes = answer_bytes
        self._bulkhead = Bulkhead(what, waiting=waiting)
        self._process: asyncio.subprocess.Process | None = None

    async def call(self, *task: bytes) -> list[bytes]:
        """Return the answer to `task`.

        Raises WorkFailedError, and ProblemError: 503 `busy` when too many tasks wait, or no process can be
        started now.
        """
        async with self._bulkhead.entered():
            process = await self._running()
            whole = False
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._exchange(process, task)
                whole = True
            except TimeoutError:
                raise WorkFailedError(f"{self._what} took more than {self._seconds:g} s") from None
            except (OSError, asyncio.IncompleteReadError):
                raise WorkFailedError(
                    f"{self._what} ended early, as it does when it needs more memory than it may have"
                ) from None
            finally:
                if not whole:
                    # A running task cannot be cancelled, and the next one must not get its answer.
                    await self.close()
            if answer[:1] == [b"last"]:
                await self.close()
        outcome, *parts = answer[1:] or [b""]
        if outcome != b"done":
            raise WorkFailedError(b" ".join(parts).decode("utf-8", "replace")[:300] or "no answer")
        return parts

    async def close(self) -> None:
        """End the process, at once."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is not None:
            await self.close()
        if self._process is None:
            try:
                self._process = await self._started()
            except OSError as error:
                # Not as it is: whoever works with the database takes an OSError for one that is away.
                raise ProblemError(
                    "busy",
                    503,
                    f"the process for {self._what} could not be started "
                    f"({error.strerror or type(error).__name__}); try again in {RETRY_SECONDS} s",
                    title="Too busy",
                    headers={"Retry-After": str(RETRY_SECONDS)},
                ) from error
        return self._process

    async def _started(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            self._module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in _FROM_ENVIRONMENT if name in os.environ},
            # Ctrl-C is for the server, which ends its workers.
            start_new_session=True,
            limit=1024 * 1024,
        )

    async def _exchange(self, process: asyncio.subprocess.Process, task: Sequence[bytes]) -> list[bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(map(_number, (len(task), *map(len, task)))))
        for part in task:
            process.stdin.write(part)
            await process.stdin.drain()
        count = int.from_bytes(await process.stdout.readexactly(_NUMBER))
        if count > _MOST_PARTS:
            raise WorkFailedError(f"{self._what} answered with {count} parts")
        sizes = [int.from_bytes(await process.stdout.readexactly(_NUMBER)) for _ in range(count)]
        if sum(sizes) > self._answer_bytes:
            raise WorkFailedError(
                f"its result has {sum(sizes):,} bytes, and at most {self._answer_bytes:,} are kept"
            )
        return [await process.stdout.readexactly(size) for size in sizes]


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER)
