"""The process that delivers and notifies, for trying both out: to the hosts that `DELIVERY_HOSTS` names."""

from collections.abc import Mapping

from dryrun_local.machine.files import write_private
from dryrun_local.machine.installation import Installation
from dryrun_local.system.postgres import delivery_url
from dryrun_local.system.processes import Program
from dryrun_local.system.service_settings import delivery_settings


def delivery_program(
    installation: Installation,
    environ: Mapping[str, str],
    inherited: Mapping[str, str],
    database_url: str,
    api_url: str,
) -> Program:
    """Return the program, by the settings in `environ`.

    A login to a database of the developer's own must be able to take the role `approval_delivery`;
    `DELIVERY_DATABASE_URL` names another.
    """
    settings = delivery_settings(environ, api_url)
    if not settings.keys() & {"DELIVERY_DATABASE_URL", "DELIVERY_DATABASE_URL_FILE"}:
        path = installation.api_token_file.with_name("delivery-database-url")
        write_private(path, f"{delivery_url(database_url)}\n")
        settings["DELIVERY_DATABASE_URL_FILE"] = str(path)
    return Program(
        name="the delivering process",
        command=(str(installation.program("approval-api")), "deliver"),
        environment={**inherited, **settings},
        log=installation.logs / "approval-delivery.log",
    )
