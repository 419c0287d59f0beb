"""Makes the context of a session from its row: with the template that it was requested with."""

import asyncio
from functools import partial

from dryrun_orchestrator.catalog.installed import OperatorFiles
from dryrun_orchestrator.catalog.scan_choice import ScanChoiceError
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, UnknownTemplateError
from dryrun_orchestrator.fleet.placement import Needs, Placement
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.collector_container import COLLECTORS_AT_ONCE
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.trace import Trace
from dryrun_orchestrator.settings import Settings
from dryrun_serving.tracing import Record


class Contexts:
    """Makes contexts of one process."""

    def __init__(
        self,
        hosts: Hosts,
        journal: Journal,
        files: OperatorFiles,
        settings: Settings,
        record: Record | None = None,
    ) -> None:
        self._hosts = hosts
        self._journal = journal
        self._files = files
        self._settings = settings
        self._record = record

    async def of(self, record: SessionRecord) -> SessionContext:
        """Return a context for the session's loop."""
        placement = None if record.placement is None else Placement.from_json(record.placement)
        ground = self._hosts.ground_of(placement)
        return SessionContext(
            id=record.id,
            planned=await asyncio.to_thread(self._planned, record),
            engine=ground.engine,
            journal=self._journal,
            settings=self._settings,
            isolation=ground.isolation,
            preflight=ground.preflight,
            placement=placement,
            lost_host=ground.lost_host,
            silent_host=ground.silent_host,
            note_emptied=partial(self._hosts.note_emptied, record.id),
            record_span=self._record,
        )

    async def needs(self, record: SessionRecord) -> Needs:
        """Return what a session takes of the hosts; nothing for one whose template is gone: it ends."""
        planned = await asyncio.to_thread(self._planned, record)
        if planned is None:
            return Needs((), 1)
        collectors = min(len(planned.collectors), COLLECTORS_AT_ONCE)
        names = [service.name for service in planned.services]
        return Needs(names, collectors, planned.spread, planned.hosts)

    async def plan(self, context: SessionContext) -> None:
        """Plan the session again, from its row as it is now; its trace begins anew."""
        context.trace = Trace()
        context.planned = await asyncio.to_thread(self._planned, await context.record())

    def _planned(self, record: SessionRecord) -> LoadedTemplate | None:
        installed = self._files.of(record.installed)
        if installed is None:
            return None
        try:
            template = installed.planned(record.template, record.seed, record.scan)
        except (UnknownTemplateError, TemplateInvalidError, ScanChoiceError):
            return None
        return template if template.digest == record.template_digest else None
