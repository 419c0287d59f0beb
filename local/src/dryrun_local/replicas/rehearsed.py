"""Gives a replica of a report the credentials of the template that was rehearsed: no report holds any."""

from collections.abc import Iterator, Sequence

from dryrun_local.machine.added_folders import template_file
from dryrun_local.machine.installation import Installation
from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template
from dryrun_replica.inventory.model import Host, Inventory, Note
from dryrun_replica.planning.plan import MAX_CREDENTIALS, Plan, PlannedCredential


def with_credentials(installation: Installation, inventory: Inventory, plan: Plan) -> Plan:
    """Return the plan with the credentials of the templates whose reports the inventory was read from.

    Each is for the hosts of its template's reports that stand on an image which might see it there. A
    template that is not installed here, or not valid, is a note, without its name, which may be a network's.
    """
    found: dict[PlannedCredential, None] = {}
    missing = 0
    for template_id in inventory.rehearsed:
        template = _installed(installation, template_id)
        if template is None:
            missing += 1
        else:
            hosts = [host for host in inventory.hosts if host.rehearsed == template_id]
            found |= dict.fromkeys(_credentials(template, hosts))
    notes = [_without_credentials(missing, len(inventory.rehearsed))] if missing else []
    if (beyond := len(found) - MAX_CREDENTIALS) > 0:
        notes.append(Note(what=f"credentials beyond {MAX_CREDENTIALS}, left out", count=beyond))
    kept = tuple(found)[:MAX_CREDENTIALS]
    return plan.model_copy(update={"credentials": kept, "notes": (*plan.notes, *notes)})


def _without_credentials(missing: int, rehearsed: int) -> Note:
    which = "a report's template" if rehearsed == 1 else f"{missing} of {rehearsed} reports' templates"
    are, them = ("is", "it") if missing == 1 else ("are", "them")
    return Note(
        what=f"No credentials are known from {which}, which {are} not installed here, or not valid: "
        f"databases and tables behind a login will be missed. Install {them}, and import again.",
        count=missing,
    )


def _credentials(template: LoadedTemplate, its: Sequence[Host]) -> Iterator[PlannedCredential]:
    for each in template.credentials:
        images = {
            service.image.name
            for service in template.services
            if not each.services or service.name in each.services
        }
        hosts = tuple(host.name for host in its if host.image in images)
        if hosts:
            yield PlannedCredential(
                engine=each.engine, username=each.username, password=each.password, hosts=hosts
            )


def _installed(installation: Installation, template_id: str) -> LoadedTemplate | None:
    path = template_file(installation, template_id)
    if path is None:
        return None
    try:
        allowlist = load_allowlist(installation.allowlist)
        manifests = load_collector_manifests(installation.manifests, allowlist)
        return load_template(path, allowlist, manifests)
    except (OperatorFileError, TemplateInvalidError):
        return None
