"""Where `dryrun-local` begins: it hears Ctrl-C before anything is imported."""

from dryrun_contract.entrance import run_main_of


def main() -> None:
    """Run `dryrun-local`."""
    run_main_of("dryrun_local.main")
