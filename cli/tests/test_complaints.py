from dryrun_cli.commands.command import complain
from dryrun_cli.errors import ApiRefusedError
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
