"""A request to the approval API in memory, and how it is answered."""

import json


class AsgiRequest:
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
