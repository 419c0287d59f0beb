"""Where `discovery-collect` begins: it hears Ctrl-C before anything is imported."""

from dryrun_contract.entrance import run_main_of


def main() -> None:
    """Run `discovery-collect`."""
    run_main_of("discovery_collectors.main")
