"""Commands that follow a session: start, watch, events --follow."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import ValidationError

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import JsonObject, read_object, read_session
from dryrun_cli.api.session_ids import find_session_id
from dryrun_cli.commands.command import command, make_console, write_json_line, wrote_json
from dryrun_cli.commands.criteria_file import read_checked
from dryrun_cli.commands.reports import Question, conclude, verdict_code
from dryrun_cli.drawing.safe_text import inert
from dryrun_cli.errors import ApiRefusedError, WrongUseError
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_cli.live.screens import Manner
from dryrun_cli.live.watch import WatchOutcome, watch_session
from dryrun_contract.fault_words import in_words
from dryrun_contract.session import Outcome, StartRequest


@dataclass(frozen=True, slots=True)
class _Judge:
    """What the report at the end is judged by: a file's criteria, or the session's own."""

    criteria: JsonObject | None = None
    own: bool = False
    """The session's own were chosen by name, so that the exit code follows from them too."""

    @property
    def decides(self) -> bool:
        """Whether the exit code follows from the verdict."""
        return self.own or self.criteria is not None


@command
async def start(
    client: ApiClient,
    common: Common,
    wanted: Mapping[str, object],
    *,
    watch: bool,
    plain: bool,
    criteria_file: Path | None,
) -> ExitCode:
    """`dryrun start TEMPLATE`. Criteria are read and checked before the session starts."""
    criteria = None if criteria_file is None else await read_checked(client, criteria_file)
    try:
        request = StartRequest.model_validate(wanted)
    except ValidationError as error:
        raise WrongUseError(_why_not(error)) from None
    try:
        answer = await client.start_session(request)
    except asyncio.CancelledError:
        sys.stderr.write("Interrupted while starting: a session may have started; see: dryrun list\n")
        raise
    session = read_session(answer)
    if watch:
        judge = _Judge(criteria, own=request.criteria is not None)
        return await _watch_to_report(client, common, session.id, judge, plain=plain, on_interrupt="stop")
    if not wrote_json(common, answer):
        sys.stdout.write(f"{session.id}\n")
        if sys.stdout.isatty():
            sys.stderr.write(f"Started. To watch it: dryrun watch {session.id}\n")
    return ExitCode.OK


def _why_not(error: ValidationError) -> str:
    """Return which option is no name, in one sentence."""
    fault = error.errors(include_url=False)[0]
    given = inert(str(fault["input"])[:80])
    if fault["loc"][0] == "template":
        return f"{given!r} is not a template id (small letters, digits, hyphens); see: dryrun templates"
    if fault["loc"][0] == "criteria":
        return f"{given!r} names no criteria (small letters, digits, hyphens); see: dryrun criteria list"
    if fault["type"] == "string_pattern_mismatch":
        return f"{given!r} is not a collector's name (small letters, digits, hyphens)"
    return f"{'.'.join(map(str, fault['loc']))}: {in_words(fault)}"


@command
async def watch(client: ApiClient, common: Common, text: str, *, plain: bool) -> ExitCode:
    """`dryrun watch ID`. Ctrl-C leaves the session running: somebody else may have started it."""
    session_id = await find_session_id(client, text)
    return await _watch_to_report(client, common, session_id, _Judge(), plain=plain, on_interrupt="leave")


@command
async def follow_events(client: ApiClient, common: Common, text: str) -> ExitCode:
    """`dryrun events ID --follow`: a line per event until the session has ended; Ctrl-C only leaves."""
    session_id = await find_session_id(client, text)
    manner = Manner.JSON if common.json_output else Manner.PLAIN
    watched = await watch_session(client, session_id, make_console(), manner=manner, on_interrupt="leave")
    return _left(watched) or ExitCode.OK


async def _watch_to_report(
    client: ApiClient,
    common: Common,
    session_id: UUID,
    judge: _Judge,
    *,
    plain: bool,
    on_interrupt: Literal["stop", "leave"],
) -> ExitCode:
    manner = Manner.JSON if common.json_output else Manner.PLAIN if plain else Manner.AUTO
    watched = await watch_session(
        client, session_id, make_console(), manner=manner, on_interrupt=on_interrupt
    )
    left = _left(watched)
    if left:
        sys.stderr.write(f"Left session {session_id}.\n{_what_goes_on(watched)} {session_id}\n")
        return left
    try:
        met = await _conclude(client, common, session_id, judge)
    except ApiRefusedError as error:
        # A session that failed early may have no report; its outcome matters more than the refusal.
        if watched.outcome is Outcome.COMPLETED:
            raise
        sys.stderr.write(f"There is no report: {inert(error, 1000)}\n")
        met = ExitCode.NOT_COMPLETED
    if watched.interrupted:
        return ExitCode.INTERRUPTED
    return met if watched.outcome is Outcome.COMPLETED else ExitCode.NOT_COMPLETED


async def _conclude(client: ApiClient, common: Common, session_id: UUID, judge: _Judge) -> ExitCode:
    if not common.json_output:
        report = await conclude(client, session_id, make_console(), judge.criteria)
        failed = report.verdict is not None and not report.verdict.passed
        return ExitCode.CRITERIA_NOT_MET if judge.decides and failed else ExitCode.OK
    if not judge.decides:
        return ExitCode.OK
    answer = await client.report(session_id, judge.criteria, Question(judged=judge.own).parameters())
    code = verdict_code(answer, judged=True)
    verdict = read_object(answer, "report").get("verdict")
    # After the events, each of which is an object with `seq`: one more line, with `type`.
    write_json_line({"type": "verdict", "session_id": str(session_id), "verdict": verdict})
    return code


def _what_goes_on(watched: WatchOutcome) -> str:
    """Return what becomes of a session that somebody left, and the command for it, without the id."""
    if watched.stop_accepted:
        return "It is being stopped: dryrun watch"
    if watched.interrupted:
        return "It may continue, since the API has not accepted the stop: dryrun stop"
    return "It continues: dryrun watch"


def _left(watched: WatchOutcome) -> ExitCode | None:
    if watched.left_by is None:
        return None
    return ExitCode.INTERRUPTED if watched.left_by is signal.SIGINT else ExitCode.TERMINATED
