"""What the orchestrator of a fleet would not start without: its fleet file and its certificates."""

from collections.abc import Iterator
from pathlib import Path

from settings_file import DEPLOY, Json

from dryrun_orchestrator.fleet.fleet_file import FleetFileError, read_fleet_file

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
        read_fleet_file(file, finds_certificates=False)
    except FleetFileError as error:
        yield f"mend {file}: {error}"
    if not file.stat().st_mode & 0o004:
        yield f"let the orchestrator's user read the fleet file: chmod 0644 {file}"
