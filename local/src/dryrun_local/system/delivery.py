"""The process that delivers and notifies, for trying both out: to the hosts that `DELIVERY_HOSTS` names."""

from collections.abc import Mapping
from typing import Final

from dryrun_local.machine.files import write_private
from dryrun_local.machine.installation import Installation
from dryrun_local.system.postgres import delivery_url
from dryrun_local.system.processes import Program

PREFIX: Final = "DELIVERY_"


def delivery_program(
    installation: Installation,
    environ: Mapping[str, str],
    inherited: Mapping[str, str],
    database_url: str,
    api_url: str,
) -> Program:
    """Return the program, by the settings in `environ`.

    Without hosts it sends nothing, and every item and channel says so. A login to a database of the
    developer's own must be able to take the role `approval_delivery`; `DELIVERY_DATABASE_URL` names another.
    """
    chosen = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    if not chosen.keys() & {"DELIVERY_DATABASE_URL", "DELIVERY_DATABASE_URL_FILE"}:
        path = installation.api_token_file.with_name("delivery-database-url")
        write_private(path, f"{delivery_url(database_url)}\n")
        chosen["DELIVERY_DATABASE_URL_FILE"] = str(path)
    return Program(
        name="the delivering process",
        command=(str(installation.program("approval-api")), "deliver"),
        environment={**inherited, "DELIVERY_HOSTS": "", "DELIVERY_PUBLIC_URL": api_url, **chosen},
        log=installation.logs / "approval-delivery.log",
    )
