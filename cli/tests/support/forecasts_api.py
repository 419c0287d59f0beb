"""Forecasts, checks, trends and badges of the approval API in memory."""

import json

from recorded_report import network_forecast, recorded_check


async def forecasts(api, request, path):
    match path:
        case ["badges", *named]:
            await badges(api, request, named)
        case [_, _, "badge"]:
            known = dict.fromkeys(("at", "recall", "precision", "passed"))
            await request.json(
                {"label": "dry-run small", "message": "recall\x1b 0.9", "color": "blue", **known}
            )
        case ["trends"]:
            await request.json({"points": api.trend})
        case ["checks"]:
            calibration = [{"what": "kind", "within": 2, "of": 3}] if api.checks else []
            await request.json({"checks": api.checks, "calibration": calibration})
        case ["checks", check_id]:
            assert request.method == "DELETE"
            api.checks = [each for each in api.checks if each["id"] != check_id]
            await request.answer(204, b"", "application/json")
        case ["sessions", session_id, "checks"]:
            api.questions.append(json.loads(request.body))
            api.checks.append(recorded_check(session_id, api.questions[-1]["outcome"] or {}))
            comparison = api.checks[-1]["comparison"]
            [kind, place, product] = comparison["groups"]
            places = [{**place, "name": f"{443 + number}/tcp"} for number in range(api.places)]
            comparison["groups"] = [kind, *places, product]
            comparison["not_in_inventory"] = {f"{22 + number}/tcp": 3 for number in range(api.places)}
            if api.nothing_unknown:
                for group in api.checks[-1]["comparison"]["groups"]:
                    group["unknown"] = 0
            for group in api.checks[-1]["comparison"]["groups"]:
                group["within"] = api.groups_within
            await request.json(api.checks[-1], status=201)
        case _:
            api.questions.append(request.query)
            await request.json(network_forecast())


async def badges(api, request, named):
    match request.method, named:
        case "POST", []:
            made = {"id": "A" * 22, "published_by": "ada", "published_at": "2026-11-27T00:00:00Z"}
            api.badges.append({**json.loads(request.body), **made, "path": f"/badges/{'A' * 22}.svg"})
            await request.json(api.badges[-1], status=201)
        case "GET", []:
            await request.json({"badges": api.badges})
        case "DELETE", [badge_id] if badge_id not in {each["id"] for each in api.badges}:
            await request.problem(404, "there is no such badge")
        case "DELETE", [badge_id]:
            api.badges = [each for each in api.badges if each["id"] != badge_id]
            await request.answer(204, b"", "application/json")
