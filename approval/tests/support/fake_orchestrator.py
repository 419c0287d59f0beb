"""An orchestrator in memory, for tests: the same answers, driven by method calls."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import override
from uuid import UUID, uuid4

import httpx2

from dryrun_contract.event import (
    PAGE_BYTES,
    Event,
    EventData,
    NetworkCreated,
    PhaseChanged,
    SessionQueued,
    Snapshot,
)
from dryrun_contract.fleet import Fleet
from dryrun_contract.ground_truth import Fact, GroundTruth
from dryrun_contract.pool import Pool, PoolLine, PreparedSession
from dryrun_contract.problem import Problem, problem_type
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import Phase, Session, SessionRequest
from dryrun_contract.template import Template, TemplateService, TemplateSummary

SMALL = Template(
    id="small",
    title="Small company",
    description="A database and a web server",
    digest="sha256:" + "1" * 64,
    services=(
        TemplateService(name="db", image="discovery/test-postgres:17"),
        TemplateService(name="web", image="discovery/test-nginx:1.26", depends_on=("db",)),
    ),
    collectors=("network", "database"),
    ground_truth=GroundTruth(
        facts=(
            Fact(kind="host", key="db"),
            Fact(kind="host", key="web"),
            Fact(kind="service", key="db:5432/tcp", data={"product": ["PostgreSQL"], "version": "17.2"}),
            Fact(kind="service", key="web:80/tcp", data={"product": ["nginx"], "version": "1.26.3"}),
            Fact(kind="service", key="web:18734/tcp", data={"product": ["nginx"]}, hard="unusual port"),
            Fact(kind="database", key="db:5432/tcp/shop", data={"engine": "postgresql"}),
            Fact(kind="table", key="db:5432/tcp/shop/public/orders", data={"columns": ["id", "total"]}),
        )
    ),
)


class FakeOrchestrator(httpx2.AsyncBaseTransport):
    """Stands in as the client's transport. Attributes say how it misbehaves."""

    def __init__(self) -> None:
        """Start with an empty journal and the template `small`."""
        self.token = "orchestrator-token"  # a fake's
        self.journal = uuid4()
        self.log: list[Event] = []
        self.seq = 0
        self.forgotten = 0
        """Events up to this number are gone; asking for them is answered 410."""
        self.sessions: dict[UUID, Session] = {}
        self.templates = {SMALL.id: SMALL}
        self.requests: list[httpx2.Request] = []
        self.down = False
        """Nothing is answered."""
        self.loses_put_answers = False
        """Sessions are taken, but the caller never learns."""
        self.refuses_puts: Problem | None = None
        self.uninstalled: set[str] = set()
        """Names of collectors that nobody can choose."""
        self.raw: dict[int, str] = {}
        """Events that are written in other words than the contract's, as JSON or what is none."""
        self.endless: Callable[[], AsyncIterator[bytes]] | None = None
        """What events are answered with, however long it is."""
        self.pool = Pool()
        self.fleet = Fleet()
        """What is prepared; a session that is claimed leaves it."""
        self.pool_seconds = 0.0
        """How long it takes to say so."""
        self.while_templates_are_asked: Callable[[], Awaitable[None]] | None = None
        """What is awaited before a question about templates is answered."""
        self.longest_wait = 30.0
        self._news = asyncio.Event()

    def tell(self, session_id: UUID, data: EventData, at: datetime | None = None) -> Event:
        """Append an event and wake whoever polls."""
        self.seq += 1
        event = Event(
            journal=self.journal, seq=self.seq, session_id=session_id, at=at or datetime.now(UTC), data=data
        )
        self.log.append(event)
        self.wake()
        return event

    def wake(self) -> None:
        """Let long polls look."""
        self._news.set()
        self._news = asyncio.Event()

    def replace_journal(self) -> None:
        """Lose the journal: a new one begins, and old positions are gone."""
        self.journal, self.log, self.seq, self.sessions = uuid4(), [], 0, {}
        self.wake()

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.down:
            raise httpx2.ConnectError("connection refused", request=request)
        await request.aread()
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _problem(401, "unauthorized", "send the token")
        match request.method, request.url.path.strip("/").split("/"):
            case "GET", ["templates", *which]:
                answer = await self._about_templates(which, request.url.params.get("scan", "{}"))
            case "GET", ["pool"]:
                answer = await self._show_pool()
            case "GET", ["hosts"]:
                answer = httpx2.Response(200, content=self.fleet.model_dump_json())
            case "PUT", ["sessions", session_id]:
                answer = self._put(UUID(session_id), request)
            case "POST", ["sessions", session_id, "stop"]:
                answer = self._stop(UUID(session_id))
            case "GET", ["events"]:
                answer = await self._events(request)
            case _:
                answer = _problem(404, "not-found", "no such route")
        return answer

    async def _about_templates(self, which: list[str], scan: str) -> httpx2.Response:
        if self.while_templates_are_asked is not None:
            await self.while_templates_are_asked()
        return self._template(which[0], scan) if which else self._templates()

    def _templates(self) -> httpx2.Response:
        summaries = [
            TemplateSummary(**template.model_dump(exclude={"ground_truth"})).model_dump(mode="json")
            for template in self.templates.values()
        ]
        return httpx2.Response(200, json=summaries)

    def _template(self, template_id: str, scan: str) -> httpx2.Response:
        for name in ScanChoice.model_validate_json(scan).collectors:
            if name in self.uninstalled:
                return _problem(422, "invalid-scan", f"no collector {name} is installed")
        template = self.templates.get(template_id)
        if template is None:
            known = ", ".join(sorted(self.templates))
            return _problem(
                404, "unknown-template", f"there is no template {template_id!r}; known are: {known}"
            )
        return httpx2.Response(200, content=template.model_dump_json())

    async def _show_pool(self) -> httpx2.Response:
        await asyncio.sleep(self.pool_seconds)
        return httpx2.Response(200, content=self.pool.model_dump_json())

    def prepare(self, template: str = "small", seed: int = 0, count: int = 1) -> list[UUID]:
        """Have this many sessions prepared; return their ids."""
        now = datetime.now(UTC)
        ready = tuple(
            PreparedSession(id=uuid4(), prepared_at=now, expires_at=now + timedelta(minutes=30))
            for _ in range(count)
        )
        self.pool = Pool(lines=(PoolLine(template=template, seed=seed, wanted=count, ready=ready),))
        return [each.id for each in ready]

    def _claimed(self, session_id: UUID) -> PreparedSession | None:
        """Take a session out of the pool."""
        for line in self.pool.lines:
            for prepared in line.ready:
                if prepared.id == session_id:
                    rest = tuple(each for each in line.ready if each is not prepared)
                    left = line.model_copy(update={"ready": rest})
                    self.pool = Pool(lines=tuple(left if each is line else each for each in self.pool.lines))
                    return prepared
        return None

    def _put(self, session_id: UUID, request: httpx2.Request) -> httpx2.Response:
        if self.refuses_puts is not None:
            return httpx2.Response(self.refuses_puts.status, content=self.refuses_puts.model_dump_json())
        wanted = SessionRequest.model_validate_json(request.content)
        fresh = session_id not in self.sessions
        if fresh:
            template = self.templates[wanted.template]
            prepared = self._claimed(session_id)
            prepared_at = prepared.prepared_at if prepared else None
            self.sessions[session_id] = Session(
                id=session_id,
                template=wanted.template,
                template_digest=template.digest,
                seed=wanted.seed,
                keep=wanted.keep,
                scan=wanted.scan,
                phase=Phase.SCANNING if prepared else Phase.QUEUED,
                created_at=datetime.now(UTC),
                expires_at=prepared.expires_at if prepared else None,
                prepared_at=prepared_at,
            )
            self.tell(
                session_id,
                SessionQueued(
                    template=wanted.template,
                    template_digest=template.digest,
                    seed=wanted.seed,
                    keep=wanted.keep,
                    scan=wanted.scan,
                    actor=request.headers["x-actor"],
                    prepared_at=prepared_at,
                ),
            )
            if prepared:
                self._tell_what_was_prepared(session_id, prepared)
        if self.loses_put_answers:
            raise httpx2.ReadTimeout("the answer was lost", request=request)
        return httpx2.Response(201 if fresh else 200, content=self.sessions[session_id].model_dump_json())

    def _tell_what_was_prepared(self, session_id: UUID, prepared: PreparedSession) -> None:
        for data in (
            PhaseChanged(phase=Phase.PROVISIONING),
            NetworkCreated(name="dryrun", subnet="10.213.0.0/27", expires_at=prepared.expires_at),
            PhaseChanged(phase=Phase.WAITING),
            PhaseChanged(phase=Phase.SCANNING),
        ):
            self.tell(session_id, data)

    def _stop(self, session_id: UUID) -> httpx2.Response:
        session = self.sessions.get(session_id)
        if session is None:
            return _problem(404, "unknown-session", f"there is no session {session_id}")
        return httpx2.Response(202, content=session.model_dump_json())

    async def _events(self, request: httpx2.Request) -> httpx2.Response:
        asked = request.url.params.get("after")
        journal, after = self.journal, 0
        if asked is not None:
            name, _, number = asked.partition(":")
            journal, after = UUID(name), int(number)
        wait = min(float(request.url.params.get("wait", "0")), self.longest_wait)
        if journal == self.journal and after == self.seq and wait > 0:
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                pass
        if self.down:
            raise httpx2.ReadError("connection reset", request=request)
        if journal != self.journal or not self.forgotten <= after <= self.seq:
            snapshot = Snapshot(journal=self.journal, seq=self.seq, sessions=tuple(self.sessions.values()))
            return httpx2.Response(410, content=snapshot.model_dump_json())
        limit = int(request.url.params.get("limit", "500"))
        if self.endless is not None:
            return httpx2.Response(200, content=self.endless())
        page: list[str] = []
        size = 0
        for event in self.log:
            if event.seq <= after:
                continue
            written = self.raw.get(event.seq) or event.model_dump_json()
            size += len(written.encode("utf-8", "surrogatepass"))
            if len(page) == limit or (page and size > PAGE_BYTES):
                break
            page.append(written)
        return httpx2.Response(200, content=f'{{"journal":"{self.journal}","events":[{",".join(page)}]}}')


def _problem(status: int, name: str, detail: str) -> httpx2.Response:
    problem = Problem(type=problem_type(name), title=name, status=status, detail=detail)
    return httpx2.Response(status, content=json.dumps(problem.model_dump(mode="json")))
