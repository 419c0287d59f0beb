"""What an earlier run left elsewhere: new secrets beside it would split a deployment in two.

Compose takes secrets of another folder for no change: services that run keep those that they started with.
"""

import subprocess

from settings_file import RefusedError, SettingsFile
from state_folder import StateFolder

ENGINE_SECONDS = 10


def require_no_other_secrets(before: SettingsFile, settings: SettingsFile, state: StateFolder) -> None:
    """Raise RefusedError where secrets would be made for a deployment that has some already.

    `before` are the settings as the operator left them, `settings` those that would be written.
    """
    if state.has_secrets:
        return
    folder = state.path / "secrets"
    values = before.values
    # Only this program writes both.
    if values.get("DRYRUN") and values.get("DRYRUN_STATE"):
        raise RefusedError(
            f"{folder} is missing, and {before.path} belongs to a deployment that has secrets: put them back "
            f"there, or write into DRYRUN_STATE where they are; for a new deployment remove {before.path}"
        )
    # Compose leaves out what no service uses: an operator may keep the database in a folder.
    volume = settings.model.get("volumes", {}).get("database", {}).get("name")
    if volume is not None and _exists(volume):
        raise RefusedError(
            f"{folder} is missing, and this engine has the database of a deployment, the volume {volume}: "
            f"copy its settings to {settings.path} and its secrets into {state.path}, which DRYRUN_STATE "
            "names there; for a second deployment write a COMPOSE_PROJECT_NAME of its own into "
            f"{settings.path}; for a new one remove the volume: docker volume rm {volume}"
        )


def _exists(volume: str) -> bool:
    """Return whether the engine has the volume; one that does not answer has none that services could use."""
    command = ["docker", "volume", "inspect", volume]
    try:
        done = subprocess.run(command, capture_output=True, timeout=ENGINE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
