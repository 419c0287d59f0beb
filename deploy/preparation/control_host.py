"""What the orchestrator of a fleet would not start without: its fleet file and its certificates."""

from collections.abc import Iterator
from pathlib import Path

from advice import Hint
from guard_policy import seccomp_of
from settings_file import DEPLOY, Json

from docker_guard.rules.policy import ConfigurationError, Policy
from dryrun_orchestrator.fleet.fleet_file import FleetFile, FleetFileError, read_fleet_file

CONFIG = Path("/etc/dryrun/config")
"""Where the orchestrator's container sees the folder `config`."""
SECRETS = ("fleet_ca", "fleet_cert", "fleet_key")
STEPS = "docs/fleet.md has the steps"


def advice_on_fleet(model: Json, named: Path, config: Path) -> Iterator[str]:
    """Yield why the orchestrator would not start with the fleet file that it is told to read, `named`."""
    files = [Path(each["file"]) for name in SECRETS if (each := (model.get("secrets") or {}).get(name))]
    for folder in sorted({file.parent for file in files if not file.is_file()}):
        made = f"{DEPLOY}/fleet/certificates"
        yield f"copy the folder orchestrator that {made} wrote, with its modes, to {folder} ({STEPS})"
    if named.parent != CONFIG:
        return
    file = config / named.name
    if not file.exists():
        yield f"write the fleet file {file} ({STEPS})"
        return
    try:
        fleet = read_fleet_file(file, finds_certificates=False)
    except FleetFileError as error:
        yield f"mend {file}: {error}"
    else:
        # Where `certificates` wrote them, each host's folder is beside the orchestrator's.
        yield from _advice_on_guards(fleet, files[-1].parent.parent if files else None)
    if not file.stat().st_mode & 0o004:
        yield f"let the orchestrator's user read the fleet file: chmod 0644 {file}"


def _advice_on_guards(fleet: FleetFile, folders: Path | None) -> Iterator[str]:
    """Yield which guards admit fewer sessions than the fleet file places there, or lack their own profile.

    A manager's guard counts every overlay. An isolation check takes a place besides.
    """
    together = sum(host.sessions for host in fleet.hosts.values())
    unseen = []
    for name, host in fleet.hosts.items():
        most = together if name in fleet.managers else host.sessions
        policy_file = None if folders is None else folders / name / "policy.json"
        if policy_file is None or not policy_file.is_file():
            if most >= Policy.model_fields["sessions"].default:
                unseen.append(f"more than {most} on {name}")
            continue
        then = f"then copy it to {name} and restart its guard"
        try:
            policy = Policy.load(policy_file)
        except ConfigurationError as error:
            yield f"{error}; the guard of {name} does not start with it"
            continue
        if policy.sessions <= most:
            where = "there and on other hosts" if most > host.sessions else "there"
            yield (
                f'write "sessions": {most + 1} or more into {policy_file}, {then}: it admits '
                f"{policy.sessions}, and the fleet file places {most} {where}"
            )
        if said := seccomp_of(policy, policy_file):
            yield type(said)(f"{said}, {then}")
    if unseen:
        default = Policy.model_fields["sessions"].default
        yield Hint(
            f'see that "sessions" in the policy.json of each guard admits what the fleet file places: '
            f"{', '.join(unseen)}; without it, a guard admits {default}"
        )
