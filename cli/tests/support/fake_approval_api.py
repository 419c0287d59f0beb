"""A small approval API for tests and for looking at screens: `python fake_approval_api.py [PORT] [SPEED]`.

Plain ASGI. It plays scripts of events in real time (times `speed`) and can break connections on purpose.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from uuid import uuid4

import criteria_api
import experiments_api
import forecasts_api
import production_api
import recorded_session
from asgi_request import AsgiRequest
from recorded_report import (
    WRITTEN,
    hostile_report,
    small_report,
    stands_for,
    with_verdict,
)
from recorded_session import HOSTILE, SERVICES

SIGNED = b"PK\x03\x04 \xff not text"
TOKEN = "token-of-ada-0123456789"
BASE = "/api/v1/dryrun"
JOURNAL = "11111111-2222-4333-8444-555555555555"
SCRIPTS = {
    "small": recorded_session.small,
    "harmed": recorded_session.harmed,
    "failing": recorded_session.failing,
    "hostile": recorded_session.hostile,
}
NOUNS = {
    "criteria": criteria_api.criteria,
    "schedules": experiments_api.schedules,
    "experiments": experiments_api.experiments,
}


class FakeApi:
    """Tests set the public attributes before, and read them after."""

    def __init__(self, speed=1.0):
        self.speed = speed
        self.sessions = {}
        self.events = {}
        self.news = asyncio.Condition()
        self.requests = []
        self.last_event_ids = []
        self.break_after = []
        """For each coming connection: so many events, then the connection breaks; None lets it live."""
        self.silent_connections = 0
        self.garbled_connections = 0
        """So many coming connections get headers and then not a byte."""
        self.statuses = []
        """Answers (status, problem) for the coming requests, before anything else is looked at."""
        self.deny_stop = False
        self.keep_stops_waiting = False
        """Answer no request to stop, and stop nothing."""
        self.repeat_last = False
        """Send the event of Last-Event-ID once more after a break."""
        self.tasks = set()
        self.reports = {}
        """Reports by session id, in place of the recorded ones."""
        self.checks = []
        self.nothing_unknown = False
        self.groups_within = False
        self.places = 1
        self.questions = []
        """Query parameters of reports that were asked for."""
        self.pool = {"lines": []}
        self.experiments = {}
        self.schedules = {}
        self.token_ends_at = None
        """Of schedules that are added."""
        self.approved = 0
        self.previewed = {}
        """What previews of rules say, beside what they always do."""
        self.rules, self.trend, self.changes, self.badges, self.removed = [], [], [], [], []
        self.ended_by_others, self.reports_a_day = {}, -1
        self.scans, self.reported, self.production, self.decisions = [], [], [], []
        self.criteria = {}
        """Stored sets by name."""
        self.destinations = {}
        self.check = {"passed": True, "answer": "NetBox 4.3 lists addresses to this token"}
        """The answer to a check of a destination; None while nobody gives one."""
        self.previews = "planned"
        """The state of a delivery that was just previewed."""
        self.deliveries = {}
        self.ends = {}
        self.reads = {}
        self.closing = False
        self.seq = 0

    def add_session(self, template="small", phase="ended", outcome="completed", **more):
        now = datetime.now(UTC)
        session = {
            "id": str(uuid4()),
            "template": template,
            "template_digest": "sha256:" + "d" * 64,
            "seed": 0,
            "keep": False,
            "requested_by": "ada",
            "requested_at": now.isoformat(),
            "queue_position": None,
            "accepted_at": now.isoformat(),
            "phase": phase,
            "outcome": outcome,
            "reason": None,
            "expires_at": (now + timedelta(minutes=30)).isoformat(),
            "ended_at": (now + timedelta(seconds=19)).isoformat() if phase == "ended" else None,
            "field_of_a_newer_version": True,
            **more,
        }
        self.sessions[session["id"]] = session
        self.events[session["id"]] = []
        return session

    def record(self, session, data, at=None):
        self.seq += 1
        at = at or datetime.now(UTC)
        event = {
            "journal": JOURNAL,
            "seq": self.seq,
            "session_id": session["id"],
            "at": at.isoformat(),
            "data": data,
        }
        self.events[session["id"]].append(event)
        if data["type"] == "phase_changed":
            session["phase"] = data["phase"]
        if data["type"] == "session_ended":
            session.update(
                phase="ended", outcome=data["outcome"], reason=data["reason"], ended_at=at.isoformat()
            )

    def record_all(self, session, script):
        start = datetime.now(UTC) - timedelta(seconds=script[-1][0])
        for offset, data in script:
            self.record(session, data, start + timedelta(seconds=offset))

    async def play(self, session, script):
        start = time.monotonic()
        for offset, data in script:
            await asyncio.sleep(max(0.0, offset / self.speed - (time.monotonic() - start)))
            self.record(session, data)
            await self.wake()

    def end_after(self, session, questions):
        """End the session without an event once it was read so often, as one that was never accepted."""
        self.ends[session["id"]] = questions

    async def wake(self):
        async with self.news:
            self.news.notify_all()

    def start_playing(self, session, script):
        task = asyncio.create_task(self.play(session, script))
        self.tasks.add(task)
        return task

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = AsgiRequest(
            scope["method"],
            scope["path"],
            headers,
            parse_qs(scope["query_string"].decode()),
            body,
            receive,
            send,
        )
        self.requests.append((request.method, request.path))
        if self.statuses:
            await request.problem(*self.statuses.pop(0))
        elif headers.get("authorization") != f"Bearer {TOKEN}":
            await request.problem(401, "show a token")
        else:
            await self.route(request)

    async def route(self, request):
        match request.method, request.path.removeprefix(BASE).strip("/").split("/"):
            case "GET", ["templates" | "criteria" | "pool" as name] | ["api", "v1", "retention" as name]:
                await request.json(self.fixed(name))
            case "POST", ["sessions"]:
                await self.start(request)
            case "GET", ["sessions"]:
                newest = sorted(self.sessions.values(), key=lambda found: found["requested_at"], reverse=True)
                begin = int(request.query.get("cursor", ["0"])[0])
                end = begin + int(request.query.get("limit", ["50"])[0])
                following = str(end) if end < len(newest) else None
                await request.json({"sessions": newest[begin:end], "next": following})
            case _, ["api", "v1", "production", *path]:
                await production_api.production(self, request, path)
            case _, ["checks" | "trends" | "badges", *_] | ["templates" | "schedules", _, "badge"] | [
                "sessions",
                _,
                "checks" | "forecast",
            ] as path:
                await forecasts_api.forecasts(self, request, path)
            case _, [name, *rest] if name in NOUNS:
                await NOUNS[name](self, request, rest)
            case _, ["sessions", session_id, *rest]:
                criteria = json.loads(request.body) if request.body else None
                if isinstance(criteria, dict) and set(criteria) - {"overall", "targets_harmed_max"}:
                    faults = [{"where": "body.recal_min", "what": "is not known here"}]
                    await request.problem(422, "1 fault in the request", faults)
                elif session_id not in self.sessions:
                    listed = "GET /api/v1/dryrun/sessions lists them"
                    await request.problem(404, f"there is no session {session_id}; {listed}")
                else:
                    await self.route_session(request, self.sessions[session_id], rest, criteria)
            case _:
                await request.problem(404, "there is nothing")

    def fixed(self, name):
        return {
            "templates": {"templates": [template(name) for name in SCRIPTS]},
            "criteria": {"overall": {"recall_min": 0.8}, "targets_harmed_max": 0},
            "pool": self.pool,
            "retention": {
                "sessions_days": 90,
                "events_days": None,
                "discoveries_days": None,
                "audit_days": None,
                "removed": self.removed,
            },
        }[name]

    async def route_session(self, request, session, rest, criteria):
        match request.method, rest:
            case "GET", []:
                await request.json(session)
                self.reads[session["id"]] = self.reads.get(session["id"], 0) + 1
            case "POST", ["stop"]:
                await self.stop(request, session)
            case "GET", ["events"] if "text/event-stream" in request.headers.get("accept", ""):
                await self.stream(request, session)
            case "GET", ["events"]:
                after = int(request.query.get("after", ["0"])[0])
                events = [event for event in self.events[session["id"]] if event["seq"] > after]
                limit = min(int(request.query.get("limit", ["500"])[0]), 10)
                following = events[limit - 1]["seq"] if len(events) > limit else None
                await request.json({"events": events[:limit], "next": following, "ended": True})
            case _, ["report"]:
                report = self.reports.get(session["id"]) or (
                    hostile_report if session["template"] == HOSTILE else small_report
                )(session)
                if request.query.get("judged") == ["true"]:
                    criteria = {"overall": {"recall_min": 1.0}}
                if criteria is not None:
                    report = with_verdict(report, criteria)
                form = request.query.get("format", ["json"])[0]
                self.questions.append({name: values[0] for name, values in request.query.items()})
                if form in WRITTEN:
                    media_type, write = WRITTEN[form]
                    await request.answer(200, write(report).encode(), media_type)
                elif form == "signed":
                    await request.answer(200, SIGNED, "application/zip")
                else:
                    await request.json(report)
            case _:
                await request.problem(404, "there is nothing")

    async def start(self, request):
        wanted = json.loads(request.body)
        if wanted["template"] not in SCRIPTS:
            await request.problem(404, f"unknown template; known are: {', '.join(SCRIPTS)}")
            return
        session = self.add_session(
            wanted["template"],
            "requested",
            None,
            seed=wanted["seed"],
            keep=wanted["keep"],
            criteria=wanted.get("criteria", "built-in"),
        )
        if wanted["template"] == "hostile":
            session["template"] = HOSTILE
        session["task"] = self.start_playing(session, SCRIPTS[wanted["template"]]())
        await request.json({key: value for key, value in session.items() if key != "task"}, 201)
        del session["field_of_a_newer_version"]

    async def stop(self, request, session):
        if self.keep_stops_waiting:
            await request.client_left()
            return
        task = session.pop("task", None)
        if task is not None and not self.deny_stop:
            task.cancel()
            self.start_playing(session, recorded_session.cleaned_up(0.2, "stopped", "asked for by ada"))
        await request.json(session, 202)

    async def stream(self, request, session):
        last = request.headers.get("last-event-id", "")
        self.last_event_ids.append(last)
        position = int(last or 0) - (1 if last and self.repeat_last else 0)
        await request.begin(200, "text/event-stream")
        if self.silent_connections:
            self.silent_connections -= 1
            await request.client_left()
            return
        budget = self.break_after.pop(0) if self.break_after else None
        await request.more(b": hello\n\nretry: 50\n\n")
        if self.garbled_connections:
            self.garbled_connections -= 1
            await request.more(b"id: 1\ndata: <html>\n\n", last=True)
            return
        while not self.closing:
            for event in [event for event in self.events[session["id"]] if event["seq"] > position]:
                if budget == 0:
                    await request.more(f"id: {event['seq']}\ndata: {json.dumps(event)[:40]}".encode())
                    raise ConnectionAbortedError
                await request.more(f"id: {event['seq']}\ndata: {json.dumps(event)}\n\n".encode())
                position = event["seq"]
                budget = None if budget is None else budget - 1
            if self.reads.get(session["id"], 0) >= self.ends.get(session["id"], float("inf")):
                session.update(phase="ended", outcome="failed")
            if session["phase"] == "ended":
                await request.more(b"", last=True)
                return
            async with self.news:
                try:
                    async with asyncio.timeout(0.2):
                        await self.news.wait()
                except TimeoutError:
                    await request.more(b": still here\n\n")


def template(name):
    text = HOSTILE if name == "hostile" else "Small company"
    services = [
        {"name": service, "image": image, "depends_on": []} for service, (image, _) in SERVICES.items()
    ]
    if name == "hostile":
        services = [{"name": HOSTILE, "image": HOSTILE, "depends_on": [HOSTILE]}]
    description = HOSTILE if name == "hostile" else "A web shop as a company of twenty people runs it."
    return {
        "id": name,
        "title": text,
        "description": description,
        "digest": "sha256:d",
        "services": services,
        "collectors": [HOSTILE] if name == "hostile" else ["network", "database"],
        "stands_for": stands_for(HOSTILE) if name == "hostile" else None,
    }


if __name__ == "__main__":
    import uvicorn

    port, speed = int(sys.argv[1]), float(sys.argv[2])
    uvicorn.run(FakeApi(speed), port=port, log_level="warning", lifespan="off")
