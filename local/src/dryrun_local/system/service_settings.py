"""The services' settings: what the environment chooses, and over it what only this program can know."""

from collections.abc import Mapping
from typing import Final

from dryrun_contract.environment import SettingsError
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.files import write_private
from dryrun_local.machine.installation import Installation

PREFIXES: Final = ("APPROVAL_", "ORCHESTRATOR_", "DELIVERY_")
_DECIDED_HERE: Final = frozenset(
    f"{name}{form}"
    for name in (
        *("APPROVAL_LISTEN", "APPROVAL_TOKENS", "APPROVAL_REPORT_KEY", "APPROVAL_DRYRUN"),
        *("APPROVAL_ORCHESTRATOR_URL", "APPROVAL_ORCHESTRATOR_TOKEN"),
        *("ORCHESTRATOR_LISTEN", "ORCHESTRATOR_TOKEN", "ORCHESTRATOR_STATE_DIR", "ORCHESTRATOR_ALLOWLIST"),
        # Past the guard nothing would bound what the orchestrator asks of the engine.
        *("ORCHESTRATOR_DOCKER_HOST", "ORCHESTRATOR_DOCKER_CERT_PATH"),
        *("ORCHESTRATOR_TEMPLATES_DIR", "ORCHESTRATOR_REPLICAS_DIR", "ORCHESTRATOR_COLLECTORS_DIR"),
    )
    for form in ("", "_FILE")
) | {"APPROVAL_DATABASE_URL_FILE", "APPROVAL_MIGRATION_DATABASE_URL_FILE"}
_DATABASE_URLS: Final = ("APPROVAL_DATABASE_URL", "APPROVAL_MIGRATION_DATABASE_URL")
_ANY_DATABASE: Final = "postgresql+asyncpg:///dryrun"


def not_taken(environ: Mapping[str, str]) -> list[str]:
    """Return the variables of the environment that no service gets, since they are decided here."""
    return sorted(_DECIDED_HERE & environ.keys())


def _chosen(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(prefix) and name not in _DECIDED_HERE and name not in _DATABASE_URLS
    }


def api_settings(
    installation: Installation, environ: Mapping[str, str], api_url: str, orchestrator_url: str
) -> dict[str, str]:
    """Return the approval API's settings but for its database; secrets as names of files."""
    token = installation.secret("api-token").read_text(encoding="utf-8").strip()
    tokens = installation.api_token_file.with_name("api-tokens")
    write_private(tokens, f"local:{token}\n")
    return _chosen(environ, "APPROVAL_") | {
        "APPROVAL_LISTEN": api_url.removeprefix("http://"),
        "APPROVAL_TOKENS_FILE": str(tokens),
        "APPROVAL_REPORT_KEY_FILE": str(installation.report_key()),
        "APPROVAL_ORCHESTRATOR_URL": orchestrator_url,
        "APPROVAL_ORCHESTRATOR_TOKEN_FILE": str(installation.secret("orchestrator-token")),
    }


def database_settings(installation: Installation, database_url: str, owner_url: str | None) -> dict[str, str]:
    """Return the API's database settings, as names of files: a URL may hold a password."""
    settings = {}
    for name, url in (("database-url", database_url), ("migration-database-url", owner_url)):
        if url:
            path = installation.api_token_file.with_name(name)
            write_private(path, f"{url}\n")
            settings[f"APPROVAL_{name.upper().replace('-', '_')}_FILE"] = str(path)
    return settings


def orchestrator_settings(
    installation: Installation, environ: Mapping[str, str], orchestrator_url: str
) -> dict[str, str]:
    """Return the orchestrator's settings, but for the engine that it is to use."""
    state = installation.state / "orchestrator"
    state.mkdir(exist_ok=True)
    return _chosen(environ, "ORCHESTRATOR_") | {
        "ORCHESTRATOR_LISTEN": orchestrator_url.removeprefix("http://"),
        "ORCHESTRATOR_TOKEN_FILE": str(installation.secret("orchestrator-token")),
        "ORCHESTRATOR_STATE_DIR": str(state),
        "ORCHESTRATOR_TEMPLATES_DIR": str(installation.templates),
        "ORCHESTRATOR_REPLICAS_DIR": str(installation.replica_templates),
        "ORCHESTRATOR_COLLECTORS_DIR": str(installation.manifests),
        "ORCHESTRATOR_ALLOWLIST": str(installation.allowlist),
    }


def delivery_settings(environ: Mapping[str, str], api_url: str) -> dict[str, str]:
    """Return the delivering process's settings; without a database, unless the environment names one.

    Without hosts it sends nothing, and every item and channel says so.
    """
    public_url = environ.get("APPROVAL_PUBLIC_URL") or api_url
    return {"DELIVERY_HOSTS": "", "DELIVERY_PUBLIC_URL": public_url} | _chosen(environ, "DELIVERY_")


def require_readable(environ: Mapping[str, str], installation: Installation, *, deliver: bool) -> None:
    """Raise LocalError that names every variable that a service would refuse at its start.

    A service reads its settings when others run already; then it would end all of them.
    """
    if not any(name.startswith(PREFIXES) for name in environ):
        return
    # Only here: their imports would delay every start.
    from approval_api.main import require_delivery_settings
    from approval_api.settings import Settings as ApiSettings
    from dryrun_orchestrator.settings import Settings as OrchestratorSettings

    nowhere = "http://127.0.0.1:1"
    databases = {name: environ[name] for name in _DATABASE_URLS if environ.get(name)}
    api = api_settings(installation, environ, nowhere, nowhere)
    delivery = delivery_settings(environ, nowhere)
    if not delivery.keys() & {"DELIVERY_DATABASE_URL", "DELIVERY_DATABASE_URL_FILE"}:
        delivery["DELIVERY_DATABASE_URL"] = _ANY_DATABASE
    faults = []
    for read, settings in (
        (ApiSettings.read, {"APPROVAL_DATABASE_URL": _ANY_DATABASE} | databases | api),
        (OrchestratorSettings.read, orchestrator_settings(installation, environ, nowhere)),
        *([(require_delivery_settings, delivery)] if deliver else []),
    ):
        try:
            read(settings)
        except SettingsError as error:
            faults.append(str(error))
    if faults:
        raise LocalError("\n".join(faults))
