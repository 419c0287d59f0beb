import pytest
from typer.main import get_command

from dryrun_cli.commands.command import complain
from dryrun_cli.errors import _LISTS, ApiRefusedError
from dryrun_cli.main import app
from dryrun_contract.problem import Fault, Problem


def test_a_fault_that_the_detail_states_is_not_repeated(capsys):
    faults = (Fault(where="scan.collectors", what="no collector nmpa"), Fault(where="seed", what="too large"))
    problem = Problem(title="refused", status=422, detail="scan.collectors: no collector nmpa", faults=faults)
    complain(ApiRefusedError(problem), json_output=False)
    assert capsys.readouterr().err.splitlines() == [
        "error: scan.collectors: no collector nmpa",
        "       seed: too large",
        "       (refused with 422 refused)",
    ]


def test_a_fault_that_is_the_detail_is_not_repeated_with_its_place(capsys):
    detail = "'61 * * * *' is not a cron expression: Bad minute"
    problem = Problem(
        title="refused", status=422, detail=detail, faults=(Fault(where="body.cron", what=detail),)
    )
    complain(ApiRefusedError(problem), json_output=False)
    assert capsys.readouterr().err.splitlines() == [f"error: {detail}", "       (refused with 422 refused)"]


@pytest.mark.parametrize("what", sorted(_LISTS))
def test_a_route_that_lists_things_is_told_as_a_command_that_there_is(what):
    problem = Problem(
        title="Unknown", status=404, detail=f"there is no such; GET /api/v1/dryrun/{what} lists them"
    )
    advice = str(ApiRefusedError(problem)).removeprefix("there is no such; see: dryrun ").split()
    command = get_command(app)
    for name in advice:
        command = command.commands[name]
    assert command.name in ("list", what)
    assert not hasattr(command, "commands")


def test_an_unknown_check_is_told_with_the_command_that_lists_checks():
    detail = "there is no check 7; GET /api/v1/dryrun/checks lists them"
    refused = ApiRefusedError(Problem(title="Unknown", status=404, detail=detail))
    assert str(refused) == "there is no check 7; see: dryrun checks"


def test_a_route_without_a_command_stays():
    detail = "there is no person 7; GET /api/v1/people lists them"
    assert str(ApiRefusedError(Problem(title="Unknown", status=404, detail=detail))) == detail
