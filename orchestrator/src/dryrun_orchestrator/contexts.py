"""Makes the context of a session from its row: with the template that it was requested with."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from dryrun_orchestrator.catalog.installed import OperatorFiles
from dryrun_orchestrator.catalog.scan_choice import ScanChoiceError
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, UnknownTemplateError
from dryrun_orchestrator.engine.protocol import Engine
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.session.preflight import Preflight
from dryrun_orchestrator.settings import Settings


class Contexts:
    """Makes contexts of one process."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        files: OperatorFiles,
        isolation: Isolation,
        preflight: Preflight,
        settings: Settings,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._files = files
        self._isolation = isolation
        self._preflight = preflight
        self._settings = settings
        self._now = now

    async def of(self, record: SessionRecord) -> SessionContext:
        """Return a context for the session's loop."""
        return SessionContext(
            id=record.id,
            planned=await asyncio.to_thread(self._planned, record),
            engine=self._engine,
            journal=self._journal,
            settings=self._settings,
            isolation=self._isolation,
            preflight=self._preflight,
            now=self._now,
        )

    async def plan(self, context: SessionContext) -> None:
        """Plan the session again, from its row as it is now."""
        context.planned = await asyncio.to_thread(self._planned, await context.record())

    def _planned(self, record: SessionRecord) -> LoadedTemplate | None:
        installed = self._files.of(record.installed)
        if installed is None:
            return None
        try:
            template = installed.templates.get(record.template, record.seed, record.scan)
        except (UnknownTemplateError, TemplateInvalidError, ScanChoiceError):
            return None
        return template if template.digest == record.template_digest else None
