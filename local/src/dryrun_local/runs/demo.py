"""Runs one session from start to report on this machine, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.reading import JsonObject, read_object, read_session
from dryrun_cli.commands.criteria_file import read_checked, read_criteria
from dryrun_cli.commands.reports import conclude, verdict_code
from dryrun_cli.drawing.safe_text import ascii_json, inert_lines
from dryrun_cli.errors import ApiRefusedError
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.live.screens import Manner
from dryrun_cli.live.watch import WatchOutcome, watch_session
from dryrun_contract.session import Outcome, Phase, SessionRequest
from dryrun_local.images.commands import prepare
from dryrun_local.machine.engine_view import EngineView, Thing, open_engine
from dryrun_local.machine.installation import Installation, from_here
from dryrun_local.runs import sessions
from dryrun_local.system.launch import System, running_system, sole_run
from dryrun_local.terminal.interruption import Interruption
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the command. `json` writes one JSON object per line to standard output, for programs."""

    template: str = "small"
    seed: int = 0
    keep: bool = False
    plain: bool = False
    json: bool = False
    timings: bool = False
    criteria: Path | None = None
    """Judge report and exit code; without them the default criteria judge, and the exit code ignores it."""
    judged_by: JsonObject | None = None
    """As `criteria`, without a file."""


@dataclass(slots=True)
class _Result:
    """What is known about the session so far."""

    session_id: UUID | None = None
    owner: str | None = None
    """The owner label of this installation's containers and networks; None until known."""
    watched: WatchOutcome | None = None
    report: JsonValue = None
    verdict: ExitCode = ExitCode.OK
    files: list[Path] = field(default_factory=list)

    @property
    def completed(self) -> bool:
        return self.watched is not None and (self.watched.outcome is Outcome.COMPLETED or self.kept)

    @property
    def kept(self) -> bool:
        """The network was kept after a complete scan; Ctrl-C is then the usual end."""
        return self.watched is not None and any(
            span.phase is Phase.KEPT for span in self.watched.state.phases
        )


class Demo:
    """One run of `dryrun-local demo`."""

    def __init__(
        self, installation: Installation, options: Options, screen: Screen, timings: Timings
    ) -> None:
        self._installation = installation
        self._options = options
        self._screen = screen
        self._timings = timings
        self._result = _Result()

    @property
    def report(self) -> JsonValue:
        """The report, once the session has ended."""
        return self._result.report

    async def run(self, interruption: Interruption) -> int:
        """Return 0 when the session completed, met its criteria and nothing is left; 5 or 1 otherwise."""
        if self._options.criteria is not None:
            # Before anything is built: a file that cannot be read needs no session.
            read_criteria(self._options.criteria)
        async with sole_run(self._installation, self._screen):
            async with open_engine(os.environ) as engine:
                before = await engine.things()
                self._timings.mark("engine answers")
                try:
                    await self._with_system(interruption)
                except asyncio.CancelledError:
                    if interruption.number is None:
                        raise
                left = await self._verify(engine, before)
            code = int(self._result.verdict) if self._result.completed and not left else 1
            self._conclude(left, code if interruption.number is None else 128 + interruption.number)
            return code

    async def _with_system(self, interruption: Interruption) -> None:
        async with running_system(
            self._installation,
            timings=self._timings,
            prepare_images=partial(prepare, self._installation, self._screen),
        ) as system:
            await system.beside(self._rehearse(system, interruption))

    async def _rehearse(self, system: System, interruption: Interruption) -> None:
        self._result.owner = await system.owner()
        async with open_client(system.client_settings()) as client:
            criteria = await self._criteria(client)
            await sessions.stop_earlier(client, self._screen)
            try:
                await self._watch(client, system, interruption)
            finally:
                # Also after an interrupted start: the session may exist without an answer having arrived.
                await sessions.end_all(client, self._screen)
            await self._report(client, criteria, interruption)

    async def _criteria(self, client: ApiClient) -> JsonObject:
        if self._options.judged_by is not None:
            return self._options.judged_by
        if self._options.criteria is not None:
            return await read_checked(client, self._options.criteria)
        return read_object(await client.ask("GET", "/dryrun/criteria"), "criteria")

    async def _watch(self, client: ApiClient, system: System, interruption: Interruption) -> None:
        options = self._options
        request = SessionRequest(template=options.template, seed=options.seed, keep=options.keep)
        session = read_session(await client.start_session(request))
        self._result.session_id = session.id
        self._timings.mark("session started")
        self._screen.done(
            f"Services: approval API at {system.api_url}",
            f"{self._timings.seconds():.1f} s after the command",
        )
        if self._options.keep:
            self._screen.note("While the network is kept, from another terminal:")
            for line in (*system.client_exports(), f"{self._installation.program('dryrun')} report last"):
                self._screen.say(f"    {line}")
        manner = Manner.JSON if self._options.json else Manner.PLAIN if self._options.plain else Manner.AUTO
        console = Screen().console if self._options.json else self._screen.console
        try:
            self._result.watched = await watch_session(client, session.id, console, manner=manner)
        finally:
            interruption.listen()
        self._timings.mark("session ended")
        # Ctrl-C that asked for the stop came first, whatever has ended the watching since.
        if self._result.watched.interrupted and not self._result.kept:
            interruption.note(signal.SIGINT)
        elif self._result.watched.left_by is not None:
            interruption.note(self._result.watched.left_by)

    async def _report(self, client: ApiClient, criteria: JsonObject, interruption: Interruption) -> None:
        assert self._result.session_id is not None
        try:
            self._result.report = await client.report(self._result.session_id, criteria)
            written = {
                suffix: inert_lines(
                    (await client.written_report(self._result.session_id, form, criteria)).decode()
                )
                for suffix, form in (("html", "html"), ("md", "markdown"), ("csv", "csv"))
            }
        except ApiRefusedError as error:
            self._screen.warn("There is no report", str(error))
            return
        judged = self._options.criteria is not None or self._options.judged_by is not None
        self._result.verdict = verdict_code(self._result.report, judged=judged)
        stem = self._installation.reports / str(self._result.session_id)
        written["json"] = ascii_json(self._result.report, indent=2)
        for suffix, text in written.items():
            path = stem.with_suffix(f".{suffix}")
            path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
            self._result.files.append(path)
        if interruption.number is None and not self._options.json:
            await conclude(
                client,
                self._result.session_id,
                self._screen.console,
                criteria,
                whole="in the files named below",
            )

    async def _verify(self, engine: EngineView, before: frozenset[Thing]) -> list[Thing]:
        """Return what is left of this installation's sessions in the engine, compared with `before`.

        Sessions of other installations may have started meanwhile. Without a known owner, all sessions count.
        """
        new = sorted(await engine.things() - before, key=str)
        owners = {self._result.owner} if self._result.owner else {thing.owner for thing in new}
        left = [thing for thing in new if thing.session is not None and thing.owner in owners]
        foreign = len(new) - len(left)
        self._screen.console.print()
        if left:
            self._screen.warn(f"{len(left)} objects are left in the engine:", ", ".join(map(str, left)))
        else:
            rest = f"({foreign} made by others meanwhile)" if foreign else ""
            self._screen.done(
                "Nothing is left: no container, network or volume that was not there before", rest
            )
        return left

    def _conclude(self, left: list[Thing], code: int) -> None:
        if self._result.files:
            first, *others = self._result.files
            self._screen.note("Report:", from_here(first))
            self._screen.say(f"  and beside it as {', '.join(path.suffix for path in others)}")
        if self._options.timings:
            earlier = 0.0
            for milestone, seconds in self._timings.milestones:
                self._screen.say(f"  {seconds:7.2f} s  (+{seconds - earlier:.2f})  {milestone}")
                earlier = seconds
        if self._options.json:
            outcome = self._result.watched and self._result.watched.outcome
            line: dict[str, Any] = {
                "type": "demo_ended",
                "session_id": self._result.session_id and str(self._result.session_id),
                "outcome": outcome,
                "left": [str(thing) for thing in left],
                "files": [str(path) for path in self._result.files],
                "exit_code": code,
                "report": self._result.report,
            }
            sys.stdout.write(json.dumps(line, ensure_ascii=True) + "\n")
