"""Where `dryrun-orchestrator` begins: it hears Ctrl-C before anything is imported."""

from dryrun_contract.entrance import run_main_of


def main() -> None:
    """Run `dryrun-orchestrator`."""
    run_main_of("dryrun_orchestrator.main")
