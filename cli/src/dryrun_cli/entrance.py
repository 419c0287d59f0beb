"""Where `dryrun` begins: it hears Ctrl-C before anything is imported."""

from dryrun_contract.entrance import run_main_of


def main() -> None:
    """Run `dryrun`."""
    run_main_of("dryrun_cli.main")
