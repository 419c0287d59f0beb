"""Keeps an import from replacing another network of its name, unless its operator says so."""

from collections.abc import Iterator

from dryrun_contract.text import counted, printable
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.installed import Replica, ReplicaError, find, is_there, plan_of
from dryrun_local.terminal.screen import Screen
from dryrun_replica.planning.plan import Plan
from dryrun_replica.planning.summary import made_from


def require_same_network(
    installation: Installation, plan: Plan, *, replace: bool, is_bundle: bool = False
) -> None:
    """Raise ReplicaError if the replica of this plan's name was made from something else.

    It is the same where its files, seed and options are: recipes and versions may have changed since, and an
    import brings it up to date. One that does not read has to be imported again, whatever it was.
    """
    before = _readable(installation, plan.name)
    if replace or before is None:
        return
    replica, installed = before
    other = next(_differences(installed, plan), None)
    if other is not None:
        name = printable(plan.name)
        both = "" if is_bundle else "to keep both, choose another --name; "
        raise ReplicaError(
            f"the replica {name} is installed already, {other}: {_described(replica, installed)}\n"
            f"  {both}to replace it, add --replace; "
            f"to keep a copy of it first: dryrun-local network export {name} -o {name}.bundle"
        )


def replaced(installation: Installation, plan: Plan) -> str | None:
    """Return what an import of this plan takes the place of; None where that is the same network, or none."""
    before = _readable(installation, plan.name)
    if before is None:
        return "a damaged one" if is_there(installation, plan.name) else None
    replica, installed = before
    if not any(_differences(installed, plan)):
        return None
    return f"{_described(replica, installed)}; import its files under another name to have both"


def note_replaced(screen: Screen, what: str | None) -> None:
    """Say what was replaced, as `replaced` returned it."""
    if what is not None:
        screen.note(f"It replaces {what}")


def _readable(installation: Installation, name: str) -> tuple[Replica, Plan] | None:
    try:
        replica = find(installation, name)
        return replica, plan_of(replica)
    except ReplicaError:
        return None


def _differences(installed: Plan, plan: Plan) -> Iterator[str]:
    """Yield how the installed one was made otherwise."""
    if set(installed.sources) != set(plan.sources):
        yield "from other files"
    if installed.seed != plan.seed:
        yield f"with --seed {installed.seed}"
    if installed.names_kept != plan.names_kept:
        yield f"{'with' if installed.names_kept else 'without'} --keep-names"
    if len(installed.templates) != len(plan.templates):
        yield f"as {counted(len(installed.templates), 'template')}"


def _described(replica: Replica, plan: Plan) -> str:
    known = f"{counted(plan.hosts, 'host')}, {counted(plan.coverage.services, 'service')}"
    return f"{known}, from {made_from(plan)}, imported {replica.installed_at:%Y-%m-%d %H:%M} UTC"
