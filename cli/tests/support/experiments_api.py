"""Experiments and schedules of the approval API in memory."""

import json
from uuid import uuid4

import recorded_experiment
from recorded_report import network_forecast
from recorded_session import HOSTILE


async def schedules(api, request, path):
    match request.method, path:
        case "POST", []:
            made = {
                "id": str(uuid4()),
                "request": json.loads(request.body),
                "owner": "ada",
                "created_at": "2026-11-27T00:00:00Z",
                "next_at": "2026-11-28T01:30:00Z",
                "paused_because": None,
                "token_ends_at": api.token_ends_at,
            }
            api.schedules[made["id"]] = made
            await request.json(made, status=201)
        case "GET", []:
            listed = [{**each} for each in api.schedules.values()]
            for each in listed:
                each.pop("firings", None)
            await request.json({"schedules": listed})
        case "GET", [schedule_id]:
            await request.json({"firings": [], **api.schedules[schedule_id]})
        case "POST", [schedule_id, word]:
            made = api.schedules[schedule_id]
            made["next_at"] = None if word == "pause" else "2026-11-28T01:30:00Z"
            made["paused_because"] = "paused by ada" if word == "pause" else None
            await request.json(made)
        case "DELETE", [schedule_id]:
            del api.schedules[schedule_id]
            await request.json({})


async def experiments(api, request, path):
    match request.method, path:
        case "POST", []:
            shown = recorded_experiment.requested(json.loads(request.body))
            api.experiments[shown["id"]] = shown
            await request.json(shown, status=201)
        case "GET", []:
            listed = [recorded_experiment.view(each) for each in api.experiments.values()]
            await request.json({"experiments": listed})
        case "GET", ["comparison"]:
            arms = dict.fromkeys(request.query[name][0] for name in ("baseline", "session"))
            await request.json(recorded_experiment.results({"collectors": arms}))
        case "GET", ["facts"]:
            api.questions.append(request.query)
            measured = {} if request.query["template"] == ["small"] else {"versions": []}
            await request.json(recorded_experiment.fact_history() | measured)
        case "GET", [_, "forecast"]:
            api.questions.append(request.query)
            await request.json(network_forecast(HOSTILE))
        case "GET", [experiment_id]:
            shown = api.experiments[experiment_id]
            if shown["state"] == "running":
                recorded_experiment.advance(shown)
            await request.json(shown)
        case "POST", [experiment_id, word]:
            shown = api.experiments[experiment_id]
            if shown["state"] != "done":
                shown["state"] = "stopped" if word == "stop" else "running"
            await request.json(api.experiments[experiment_id])
