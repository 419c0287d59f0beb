"""Destinations and deliveries of the approval API in memory."""

import json
from uuid import uuid4


async def route(api, request, kind, path):
    await (_destinations if kind == "destinations" else _deliveries)(api, request, path)


async def _destinations(api, request, path):
    match request.method, path:
        case "POST", []:
            made = {
                "id": str(uuid4()),
                "request": json.loads(request.body),
                "created_by": "ada",
                "created_at": "2026-11-27T00:00:00Z",
            }
            if made["request"]["credential"] is not None:
                made["check"] = {"requested_at": made["created_at"]}
            api.destinations[made["id"]] = made
            await request.json(made, status=201)
        case "GET", []:
            for each in api.destinations.values():
                if "check" in each and api.check is not None:
                    each["check"] |= {"answered_at": "2026-11-27T00:00:01Z", **api.check}
            await request.json({"destinations": list(api.destinations.values())})
        case "POST", [destination_id, "check"]:
            made = api.destinations[destination_id]
            made["check"] = {"requested_at": "2026-11-27T00:01:00Z"}
            await request.json(made, status=202)
        case "DELETE", [destination_id]:
            del api.destinations[destination_id]
            await request.json({})
        case "POST", [destination_id, "deliveries"]:
            made = delivery(api.destinations[destination_id]) | {"state": api.previews}
            api.deliveries[made["id"]] = made
            await request.json(made, status=201)


async def _deliveries(api, request, path):
    match request.method, path:
        case "GET", []:
            await request.json({"deliveries": list(api.deliveries.values())})
        case "GET", [delivery_id]:
            await request.json(api.deliveries[delivery_id])
        case "GET", [_, "items"]:
            wanted = request.query.get("state", [ITEM["state"]])
            await request.json({"items": [ITEM] if wanted == [ITEM["state"]] else [], "next": None})
        case "GET", [_, "file"]:
            await request.json({"discovery": "192.0.2.1"})
        case "POST", [delivery_id, how]:
            state = {"approve": "sending", "discard": "discarded", "resend": "sending"}[how]
            api.deliveries[delivery_id]["state"] = state
            await request.json(api.deliveries[delivery_id])


def delivery(destination):
    return {
        "id": str(uuid4()),
        "destination_id": destination["id"],
        "destination": destination["request"]["name"],
        "kind": destination["request"]["kind"],
        "place": destination["request"]["url"],
        "state": "planned",
        "requested_by": "ada",
        "requested_at": "2026-11-27T08:30:00Z",
        "approved_by": None,
        "approved_at": None,
        "unchanged": 1200,
        "more": False,
        "counts": {"create": 3, "change": 1, "dead": 1},
    }


ITEM = {
    "id": 1,
    "discovery_id": 7,
    "kind": "service",
    "key": "192.0.2.1:22/tcp",
    "revision": 1,
    "action": "create",
    "state": "dead",
    "attempts": 1,
    "answer": "HTTP 400: \x1b[31m[red]no",
    "answered_at": "2026-11-27T08:31:00Z",
    "reference": None,
}
