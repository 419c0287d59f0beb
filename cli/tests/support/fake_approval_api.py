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

import deliveries_api
import recorded_experiment
import recorded_session
from recorded_report import (
    WRITTEN,
    hostile_report,
    network_forecast,
    recorded_check,
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
        """So many coming connections get headers and then not a byte."""
        self.statuses = []
        """Answers (status, problem) for the coming requests, before anything else is looked at."""
        self.deny_stop = False
        self.repeat_last = False
        """Send the event of Last-Event-ID once more after a break."""
        self.tasks = set()
        self.reports = {}
        self.checks = []
        self.questions = []
        """Query parameters of reports that were asked for."""
        """Reports by session id, in place of the recorded ones."""
        self.pool = {"lines": []}
        self.experiments = {}
        self.schedules = {}
        self.approved = 0
        self.rules, self.trend, self.changes, self.badges = [], [], [], []
        self.scans, self.reported, self.production = [], [], []
        self.criteria = {}
        """Stored sets by name."""
        self.destinations = {}
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
        request = Request(
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
            case "GET", ["templates" | "criteria" | "pool" as name]:
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
                await self.route_production(request, path)
            case _, ["checks" | "trends" | "badges", *_] | ["templates" | "schedules", _, "badge"] | [
                "sessions",
                _,
                "checks" | "forecast",
            ] as path:
                await self.route_forecasts(request, path)
            case _, [("criteria" | "schedules" | "experiments") as kind, *rest]:
                await getattr(self, f"route_{kind}")(request, rest)
            case _, ["sessions", session_id, *rest]:
                criteria = json.loads(request.body) if request.body else None
                if isinstance(criteria, dict) and set(criteria) - {"overall", "targets_harmed_max"}:
                    faults = [{"where": "body.recal_min", "what": "Extra inputs are not permitted"}]
                    await request.problem(422, "1 fault in the request", faults)
                elif session_id not in self.sessions:
                    await request.problem(404, f"there is no session {session_id}")
                else:
                    await self.route_session(request, self.sessions[session_id], rest, criteria)
            case _:
                await request.problem(404, "there is nothing")

    def fixed(self, name):
        return {
            "templates": {"templates": [template(name) for name in SCRIPTS]},
            "criteria": {"overall": {"recall_min": 0.8}, "targets_harmed_max": 0},
            "pool": self.pool,
        }[name]

    async def route_criteria(self, request, path):
        match request.method, path:
            case "GET", ["sets"]:
                await request.json({"sets": list(self.criteria.values())})
            case "PUT", ["default"]:
                name = json.loads(request.body)["name"]
                for each in self.criteria.values():
                    each["is_default"] = each["name"] == name
                await request.answer(204, b"", "application/json")
            case "PUT", ["sets", name]:
                criteria = json.loads(request.body)
                if "recal_min" in criteria:
                    faults = [{"where": "body.recal_min", "what": "Extra inputs are not permitted"}]
                    await request.problem(422, "1 fault in the request", faults)
                    return
                made = {"name": name, "criteria": criteria, "is_default": False, "stored_by": HOSTILE}
                await request.json(self.criteria.setdefault(name, made))
            case "DELETE", ["sets", name]:
                del self.criteria[name]
                await request.answer(204, b"", "application/json")
            case "GET", ["sets", name] if name in self.criteria:
                await request.json(self.criteria[name])
            case _:
                await request.problem(404, "no criteria are stored by that name")

    async def route_forecasts(self, request, path):
        match path:
            case ["badges", *named]:
                await self.route_badges(request, named)
            case [_, _, "badge"]:
                known = dict.fromkeys(("at", "recall", "precision", "passed"))
                await request.json(
                    {"label": "dry-run small", "message": "recall\x1b 0.9", "color": "blue", **known}
                )
            case ["trends"]:
                await request.json({"points": self.trend})
            case ["checks"]:
                calibration = [{"what": "kind", "within": 2, "of": 3}] if self.checks else []
                await request.json({"checks": self.checks, "calibration": calibration})
            case ["sessions", session_id, "checks"]:
                self.questions.append(json.loads(request.body))
                self.checks.append(recorded_check(session_id, self.questions[-1]["outcome"] or {}))
                await request.json(self.checks[-1], status=201)
            case _:
                self.questions.append(request.query)
                await request.json(network_forecast())

    async def route_badges(self, request, named):
        match request.method, named:
            case "POST", []:
                made = {"id": "A" * 22, "published_by": "ada", "published_at": "2026-11-27T00:00:00Z"}
                self.badges.append({**json.loads(request.body), **made, "path": f"/badges/{'A' * 22}.svg"})
                await request.json(self.badges[-1], status=201)
            case "GET", []:
                await request.json({"badges": self.badges})
            case "DELETE", [badge_id]:
                self.badges = [each for each in self.badges if each["id"] != badge_id]
                await request.answer(204, b"", "application/json")

    async def route_production(self, request, path):
        sent = json.loads(request.body) if request.body else None
        if path[0] in {"destinations", "deliveries"}:
            await deliveries_api.route(self, request, path[0], path[1:])
            return
        match request.method, path:
            case "POST", ["scans"]:
                began = sent.pop("began_at") or "2026-11-27T00:00:00Z"
                begun = {"id": str(uuid4()), "started_by": "ada", "started_at": began}
                rest = dict.fromkeys(("ended_at", "complete", "missed", "gone"))
                excluded = sent.pop("exclude")
                self.scans.append({**sent, "excluded": excluded, **begun, **rest})
                await request.json(self.scans[-1], status=201)
            case "GET", ["scans"]:
                await request.json({"scans": self.scans[::-1]})
            case "POST", ["scans", _, "end"]:
                ended = {"ended_at": "2026-11-27T00:01:00Z", "complete": sent["complete"]}
                self.scans[-1] |= ended | {"missed": 3 if sent["complete"] else 0, "gone": 0}
                await request.json(self.scans[-1])
            case _, ["rules", *rest]:
                await self.route_rules(request, rest, sent)
            case "POST", ["discoveries"]:
                self.reported.append(sent)
                number = len(sent["discoveries"])
                counts = {"new": number, "changed": 0, "returned": 0, "unchanged": 0}
                await request.json({**counts, "approved": self.approved})
            case "GET", ["discoveries", "summary"]:
                await request.json({"since": request.query["since"][0], "counts": self.changes})
            case "GET", ["discoveries"]:
                self.questions.append(request.query)
                await request.json({"discoveries": self.production, "next": None})

    async def route_rules(self, request, path, sent):
        match request.method, path:
            case "POST", []:
                made = {"made_by": "ada", "made_at": "2026-11-27T00:00:00Z", "approved": 0}
                off = dict.fromkeys(("on_since", "on_by", "off_because"))
                self.rules.append({"id": str(uuid4()), "request": sent, **made, **off})
                await request.json(self.rules[-1], status=201)
            case "GET", []:
                await request.json({"rules": self.rules})
            case "GET", [_, "preview"]:
                match = {"id": 7, "revision": 1, "change": "new", "kind": "host", "collector": "network"}
                match |= {"key": "10.213.0.1\x1b[31m", "confidence": 0.9, "data": {}}
                shown = {"matching": 1, "queue": 7, "examples": [match], "digest": "0" * 64}
                await request.json(shown)
            case "POST", [_, "on"]:
                assert sent == {"preview": "0" * 64}
                on = {"on_since": "2026-11-27T00:01:00Z", "on_by": "ada", "approved": 1}
                await request.json(self.rules[-1] | on)
            case "POST", [_, "off"]:
                await request.json(self.rules[-1])
            case "DELETE", [_]:
                self.rules.clear()
                await request.answer(204, b"", "application/json")

    async def route_schedules(self, request, path):
        match request.method, path:
            case "POST", []:
                made = {
                    "id": str(uuid4()),
                    "request": json.loads(request.body),
                    "owner": "ada",
                    "created_at": "2026-11-27T00:00:00Z",
                    "next_at": "2026-11-28T01:30:00Z",
                    "paused_because": None,
                }
                self.schedules[made["id"]] = made
                await request.json(made, status=201)
            case "GET", []:
                listed = [{**each} for each in self.schedules.values()]
                for each in listed:
                    each.pop("firings", None)
                await request.json({"schedules": listed})
            case "GET", [schedule_id]:
                await request.json({"firings": [], **self.schedules[schedule_id]})
            case "POST", [schedule_id, word]:
                made = self.schedules[schedule_id]
                made["next_at"] = None if word == "pause" else "2026-11-28T01:30:00Z"
                made["paused_because"] = "paused by ada" if word == "pause" else None
                await request.json(made)
            case "DELETE", [schedule_id]:
                del self.schedules[schedule_id]
                await request.json({})

    async def route_experiments(self, request, path):
        match request.method, path:
            case "POST", []:
                shown = recorded_experiment.requested(json.loads(request.body))
                self.experiments[shown["id"]] = shown
                await request.json(shown, status=201)
            case "GET", []:
                listed = [recorded_experiment.view(each) for each in self.experiments.values()]
                await request.json({"experiments": listed})
            case "GET", ["comparison"]:
                arms = dict.fromkeys(request.query[name][0] for name in ("baseline", "session"))
                await request.json(recorded_experiment.results({"collectors": arms}))
            case "GET", ["facts"]:
                self.questions.append(request.query)
                await request.json(recorded_experiment.fact_history())
            case "GET", [_, "forecast"]:
                self.questions.append(request.query)
                await request.json(network_forecast(HOSTILE))
            case "GET", [experiment_id]:
                shown = self.experiments[experiment_id]
                if shown["state"] == "running":
                    recorded_experiment.advance(shown)
                await request.json(shown)
            case "POST", [experiment_id, word]:
                self.experiments[experiment_id]["state"] = "stopped" if word == "stop" else "running"
                await request.json(self.experiments[experiment_id])

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


class Request:
    def __init__(self, method, path, headers, query, body, receive, send):
        self.method, self.path, self.headers, self.query, self.body = method, path, headers, query, body
        self._receive, self._send = receive, send

    async def client_left(self):
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status, media_type):
        headers = [(b"content-type", media_type.encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def more(self, body, *, last=False):
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def answer(self, status, body, media_type):
        await self.begin(status, media_type)
        await self.more(body, last=True)

    async def json(self, value, status=200):
        if isinstance(value, dict):
            value = {key: item for key, item in value.items() if key != "task"}
        elif isinstance(value, list):
            value = [{key: item for key, item in entry.items() if key != "task"} for entry in value]
        await self.answer(status, json.dumps(value, default=lambda _: None).encode(), "application/json")

    async def problem(self, status, detail, faults=()):
        body = {
            "type": "urn:dryrun:problem:test",
            "title": "Refused",
            "status": status,
            "detail": detail,
            "faults": list(faults),
        }
        await self.answer(status, json.dumps(body).encode(), "application/problem+json")


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
