"""Stored criteria of the approval API in memory."""

import json

from recorded_session import HOSTILE


async def criteria(api, request, path):
    match request.method, path:
        case "GET", ["sets"]:
            await request.json({"sets": list(api.criteria.values())})
        case "DELETE", ["sets", name] if name not in api.criteria:
            await request.problem(404, "no criteria are stored by that name")
        case "PUT", ["default"] if json.loads(request.body)["name"] not in api.criteria:
            await request.problem(404, "no criteria are stored by that name")
        case "PUT", ["default"]:
            name = json.loads(request.body)["name"]
            for each in api.criteria.values():
                each["is_default"] = each["name"] == name
            await request.answer(204, b"", "application/json")
        case "PUT", ["sets", name]:
            criteria = json.loads(request.body)
            if "recal_min" in criteria:
                faults = [{"where": "body.recal_min", "what": "is not known here"}]
                await request.problem(422, "1 fault in the request", faults)
                return
            made = {"name": name, "criteria": criteria, "is_default": False, "stored_by": HOSTILE}
            await request.json(api.criteria.setdefault(name, made))
        case "DELETE", ["sets", name]:
            del api.criteria[name]
            await request.answer(204, b"", "application/json")
        case "GET", ["sets", name] if name in api.criteria:
            await request.json(api.criteria[name])
        case _:
            await request.problem(404, "no criteria are stored by that name")
