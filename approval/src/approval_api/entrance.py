"""Where `approval-api` begins: it hears Ctrl-C before anything is imported."""

from dryrun_contract.entrance import run_main_of


def main() -> None:
    """Run `approval-api`."""
    run_main_of("approval_api.main")
