"""Production discoveries, scans and rules of the approval API in memory."""

import json
from uuid import uuid4

import deliveries_api


def end_scan(scan, sent):
    """End a scan once, as the API does: an ended one stays as it is."""
    if not scan["ended_at"]:
        scan |= {"ended_at": "2026-11-27T00:01:00Z", "gone": 0, "missed": 3 if sent["complete"] else 0}
        scan |= {name: sent[name] for name in ("complete", "not_covered")}


async def receive(api, request, sent):
    if len(api.reported) == api.reports_a_day:
        await request.problem(429, "ada has sent 1 reports today")
        return
    api.reported.append(sent)
    number = len(sent["discoveries"])
    counts = {"new": number, "changed": 0, "returned": 0, "unchanged": 0}
    await request.json({**counts, "approved": api.approved})


async def production(api, request, path):
    sent = json.loads(request.body) if request.body else None
    if path[0] in {"destinations", "deliveries"}:
        await deliveries_api.route(api, request, path[0], path[1:])
        return
    match request.method, path:
        case "POST", ["scans"]:
            began = sent.pop("began_at") or "2026-11-27T00:00:00Z"
            begun = {"id": str(uuid4()), "started_by": "ada", "started_at": began}
            rest = dict.fromkeys(("ended_at", "complete", "missed", "gone"))
            excluded = sent.pop("exclude")
            api.scans.append({**sent, "excluded": excluded, **begun, **rest, **api.ended_by_others})
            await request.json(api.scans[-1], status=201)
        case "GET", ["scans"]:
            await request.json({"scans": api.scans[::-1]})
        case "POST", ["scans", _, "end"]:
            end_scan(api.scans[-1], sent)
            await request.json(api.scans[-1])
        case _, ["rules", *rest]:
            await rules(api, request, rest, sent)
        case "POST", ["discoveries"]:
            await receive(api, request, sent)
        case "GET", ["discoveries", "summary"]:
            await request.json({"since": request.query["since"][0], "counts": api.changes})
        case "POST", ["discoveries", "decisions"]:
            api.decisions.append(sent)
            known = {each["id"]: each["revision"] for each in api.production}
            wanted = {each["id"]: each["revision"] for each in sent["discoveries"]}
            same = [each for each in wanted if known.get(each) == wanted[each]]
            changed = [each for each in wanted if each in known and each not in same]
            unknown = [each for each in wanted if each not in known]
            await request.json({"decided": same, "changed": changed, "unknown": unknown})
        case "GET", ["discoveries"]:
            api.questions.append(request.query)
            await request.json({"discoveries": api.production, "next": None})


async def rules(api, request, path, sent):
    match request.method, path:
        case "POST", []:
            made = {"made_by": "ada", "made_at": "2026-11-27T00:00:00Z", "approved": 0}
            off = dict.fromkeys(("on_since", "on_by", "off_because"))
            api.rules.append({"id": str(uuid4()), "request": sent, **made, **off})
            await request.json(api.rules[-1], status=201)
        case "GET", []:
            await request.json({"rules": api.rules})
        case "GET", [_, "preview"]:
            match = {"id": 7, "revision": 1, "change": "new", "kind": "host", "collector": "network"}
            match |= {"key": "10.213.0.1\x1b[31m", "confidence": 0.9, "data": {}}
            shown = {"matching": 1, "queue": 7, "examples": [match], "digest": "0" * 64, **api.previewed}
            await request.json(shown)
        case "POST", [_, "on"]:
            assert sent == {"preview": "0" * 64}
            on = {"on_since": "2026-11-27T00:01:00Z", "on_by": "ada", "approved": 1}
            await request.json(api.rules[-1] | on)
        case "POST", [_, "off"]:
            await request.json(api.rules[-1])
        case "DELETE", [_]:
            api.rules.clear()
            await request.answer(204, b"", "application/json")
