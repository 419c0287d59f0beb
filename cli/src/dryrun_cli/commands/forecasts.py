"""Commands on forecasts of a real network: from several sessions, and beside a production run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_word
from dryrun_cli.api.session_ids import find_session_id, short
from dryrun_cli.commands.command import command, make_console, write, write_removed, wrote_json
from dryrun_cli.commands.experiments import find_experiment_id
from dryrun_cli.commands.ids import find_id
from dryrun_cli.commands.production_output import read_outcome
from dryrun_cli.drawing.check_view import draw_check, draw_checks
from dryrun_cli.drawing.network_forecast_view import draw_network_forecast
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_contract.check import Check, CheckList, CheckRequest
from dryrun_contract.network_forecast import NetworkForecast

_BEGINNING: Final = 4
"""The fewest characters of its id that may name a check to delete."""


@dataclass(frozen=True, slots=True)
class Production:
    """A production run to check against: a file of what it wrote, or what the API holds."""

    file: Path | None
    seconds: float | None = None
    packets: int | None = None
    exclude: tuple[str, ...] = ()
    """Networks that the run left out."""


@command
async def forecast(
    client: ApiClient, common: Common, sessions: list[str], *, experiment: str | None, arm: str | None
) -> None:
    """`dryrun forecast SESSION…`, or of an experiment's arm."""
    if experiment is not None:
        experiment_id = await find_experiment_id(client, experiment)
        of_arm = {} if arm is None else {"arm": arm}
        answer = await client.ask("GET", f"/dryrun/experiments/{experiment_id}/forecast", params=of_arm)
    else:
        first, *more = [await find_session_id(client, text) for text in sessions]
        params = {"with": [str(each) for each in more]}
        answer = await client.ask("GET", f"/dryrun/sessions/{first}/forecast", params=params)
    if wrote_json(common, answer):
        return
    known = read_word(NetworkForecast, answer, "a forecast")
    console = make_console()
    for part in draw_network_forecast(known):
        console.print(part)


@command
async def check(
    client: ApiClient,
    common: Common,
    session: str,
    production: Production,
    more: list[str],
    *,
    require_within: bool,
) -> ExitCode:
    """`dryrun report ID --check-against FILE`: the forecast beside what a production run found."""
    outcome = None
    if production.file is not None:
        # All of it is read before anything is asked.
        outcome = read_outcome(
            production.file,
            seconds=production.seconds,
            packets=production.packets,
            exclude=production.exclude,
        )
    session_id = await find_session_id(client, session)
    wanted = CheckRequest(
        outcome=outcome,
        seconds=None if outcome else production.seconds,
        packets=None if outcome else production.packets,
        sessions=tuple([await find_session_id(client, text) for text in more]),
    )
    answer = await client.ask(
        "POST", f"/dryrun/sessions/{session_id}/checks", body=wanted.model_dump(mode="json")
    )
    write(common, answer, lambda glyphs: draw_check(read_word(Check, answer, "a check"), glyphs))
    return _code(read_word(Check, answer, "a check")) if require_within else ExitCode.OK


def _code(made: Check) -> ExitCode:
    """Return OK where the run finished, something of it could be judged, and all of that is within."""
    judged = made.comparison.judged
    is_within = made.comparison.complete and bool(judged) and all(judged)
    return ExitCode.OK if is_within else ExitCode.OUTSIDE_FORECAST


@command
async def remove_check(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun checks --remove ID`."""
    check_id = await find_id(text, _ids_of(client), "check", "checks", see="checks", least=_BEGINNING)
    await client.ask("DELETE", f"/dryrun/checks/{check_id}")
    write_removed(common, str(check_id), f"Removed the check {short(check_id)}.")


def _ids_of(client: ApiClient) -> Callable[[], Awaitable[list[UUID]]]:
    async def list_ids() -> list[UUID]:
        listed = read_word(CheckList, await client.ask("GET", "/dryrun/checks"), "the list of checks")
        return [check.id for check in listed.checks]

    return list_ids


@command
async def list_checks(client: ApiClient, common: Common) -> None:
    """`dryrun checks`: how well rehearsals have predicted."""
    answer = await client.ask("GET", "/dryrun/checks")
    write(common, answer, lambda _: draw_checks(read_word(CheckList, answer, "the list of checks")))
