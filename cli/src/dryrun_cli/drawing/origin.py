"""Says in a line which real network a template stands for."""

from dryrun_cli.drawing.safe_text import inert
from dryrun_contract.template import StandsFor
from dryrun_contract.text import counted


def origin(known: StandsFor) -> str:
    """Return the network, what it is known from, and how much of it is covered."""
    hosts = counted(known.hosts, "host")
    return f"a network of {hosts}, from {inert(known.made_from)}, {known.made_on}: {known.levels.sentence}"
