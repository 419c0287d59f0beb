"""Answers that a connection gives by itself, before there is a request that an application could answer."""

import json

from dryrun_contract.problem import PROBLEM_MEDIA_TYPE, Problem, problem_type
from dryrun_serving.reading import READ_BYTES


def _answer(status: int, phrase: str, name: str, detail: str) -> bytes:
    problem = Problem(type=problem_type(name), title=phrase, status=status, detail=detail)
    body = json.dumps(problem.model_dump(mode="json", exclude_none=True, exclude_defaults=True)).encode()
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {PROBLEM_MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        "Retry-After: 5\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


TOO_MANY_OF_ONE = _answer(
    429, "Too Many Requests", "too-many-connections", "this address has too many connections open; close some"
)
TOO_MANY = _answer(
    503, "Service Unavailable", "too-many-connections", "too many connections are open; try again in a moment"
)
TOO_LARGE = _answer(
    431,
    "Request Header Fields Too Large",
    "head-too-large",
    f"the head of a request, its address included, has at most {READ_BYTES} bytes",
)
NOT_HTTP = _answer(400, "Bad Request", "bad-request", "this is not a request of HTTP/1.1 that can be read")
