"""The table of allowed calls, on one screen. Any other call is refused.

Columns: name, method, path, handler, query parameters with their types, body model, what is shown of the
engine's answer. `{}` stands for a name or id, which is resolved among objects of sessions only.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from docker_guard.calls.gate import Asked, Gate
from docker_guard.engine.client import NEWEST_API, OLDEST_API, dotted
from docker_guard.refusal import Refusal, shown
from docker_guard.rules.bodies import Body, CreateContainer, CreateNetwork, Nothing, parse_body
from docker_guard.rules.parameters import Parameter, always, filters, flag, matching, never
from docker_guard.sessions.answers import (
    Answer,
    Shown,
    as_it_is,
    nothing,
    only_id,
    only_network_id,
    own_only,
    version_numbers,
)

NAME = matching(r"dryrun-[a-z0-9][a-z0-9_.-]{0,99}")
COUNT = matching(r"-?[0-9]{1,5}")
SECONDS = matching(r"[0-9]{1,3}")
MOMENT = matching(r"[0-9]{1,11}(\.[0-9]{1,9})?")
TAIL = matching(r"all|[0-9]{1,9}")
CONDITION = matching(r"not-running|next-exit|removed")
EMPTY = matching(r"")
LOCAL = matching(r"local|")
OF_CONTAINERS = filters("label", "status", "name", "id", "health")
OF_NETWORKS = filters("label", "name", "id", "driver")
OF_EVENTS = filters("type", "event", "label", "container")


@dataclass(frozen=True, slots=True)
class Route:
    """One call that passes, as a row of the table."""

    name: str
    method: str
    path: str
    handler: Callable[[Gate, Asked], Awaitable[Answer]]
    query: Mapping[str, Parameter] = field(default_factory=dict)
    body: type[Body] = Nothing
    shows: Shown = as_it_is
    makes: bool = False
    """Whether something is created or started; refused while the audit log cannot be written."""
    observable: bool = False
    """Whether the guard of a worker may ask for it, at that of the manager."""
    takes_over: bool = False
    """Whether the client goes on to send input, which is bounded like a body and never understood here."""
    lasts: bool = False
    """Whether the answer is long-lived: it ends when the client leaves or the engine is done."""

    @property
    def changes(self) -> bool:
        """Return whether the engine does something that refusing its answer cannot undo."""
        return self.method in ("POST", "DELETE")

    @property
    def takes_body(self) -> bool:
        """Return whether more than an empty object may be sent."""
        return self.body is not Nothing


# fmt: off
ROUTES = (
    Route("ping", "GET", "/_ping", Gate.ping),
    Route("ping", "HEAD", "/_ping", Gate.ping),
    Route("version", "GET", "/version", Gate.version, shows=version_numbers, observable=True),
    Route("events", "GET", "/events", Gate.events,
          {"since": MOMENT, "until": MOMENT, "filters": OF_EVENTS}, lasts=True),
    Route("container list", "GET", "/containers/json", Gate.list_containers,
          {"all": flag, "limit": COUNT, "size": never, "trunc_cmd": flag, "filters": OF_CONTAINERS},
          shows=own_only),
    Route("container create", "POST", "/containers/create", Gate.create_container,
          {"name": NAME, "platform": EMPTY}, CreateContainer, only_id, makes=True),
    Route("container inspect", "GET", "/containers/{}/json", Gate.inspect_container, {"size": never}),
    Route("container start", "POST", "/containers/{}/start", Gate.start,
          {"detachKeys": EMPTY}, shows=nothing, makes=True),
    Route("container stop", "POST", "/containers/{}/stop", Gate.stop, {"t": SECONDS}, shows=nothing),
    Route("container wait", "POST", "/containers/{}/wait", Gate.wait, {"condition": CONDITION},
          lasts=True),
    Route("container logs", "GET", "/containers/{}/logs", Gate.logs,
          {"stdout": flag, "stderr": flag, "follow": flag, "timestamps": flag, "details": never,
           "since": MOMENT, "until": MOMENT, "tail": TAIL}, lasts=True),
    Route("container attach", "POST", "/containers/{}/attach", Gate.attach,
          {"stdin": always, "stream": always, "stdout": never, "stderr": never, "logs": never,
           "detachKeys": EMPTY}, makes=True, takes_over=True, lasts=True),
    Route("container stats", "GET", "/containers/{}/stats", Gate.stats, {"stream": never, "one-shot": flag}),
    Route("container remove", "DELETE", "/containers/{}", Gate.remove_container,
          {"v": flag, "force": flag, "link": never}, shows=nothing),
    Route("network list", "GET", "/networks", Gate.list_networks, {"filters": OF_NETWORKS}, shows=own_only,
          observable=True),
    Route("network create", "POST", "/networks/create", Gate.create_network,
          {}, CreateNetwork, only_network_id, makes=True),
    Route("network inspect", "GET", "/networks/{}", Gate.inspect_network, {"verbose": never, "scope": LOCAL}),
    Route("network remove", "DELETE", "/networks/{}", Gate.remove_network, shows=nothing),
)
# fmt: on

_VERSION = re.compile(r"/v(1)\.([0-9]{2})(?=/)")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def find_route(method: str, path: str) -> tuple[Route, str]:
    """Return the row of a request and the value of its `{}`. Raises Refusal."""
    version = _VERSION.match(path)
    if version:
        if not OLDEST_API <= (int(version[1]), int(version[2])) <= NEWEST_API:
            oldest, newest = (dotted(each) for each in (OLDEST_API, NEWEST_API))
            raise Refusal("version", f"API {oldest} to {newest} are supported, not {path[2:6]}", 400)
        path = path[version.end() :]
    segments = path.split("/")
    for route in ROUTES:
        pattern = route.path.split("/")
        if route.method == method and len(pattern) == len(segments):
            pairs = list(zip(pattern, segments, strict=True))
            if all(wanted in ("{}", given) for wanted, given in pairs):
                return route, _reference(next((given for wanted, given in pairs if wanted == "{}"), None))
    raise Refusal("route", f"no such call is allowed: {method} {shown(path, 100)}")


def judge_request(
    route: Route, reference: str, query: Mapping[str, str], body: bytes, *, is_json: bool
) -> Asked:
    """Return a request with canonical values. Raises Refusal."""
    canonical = {}
    for key, value in query.items():
        if key not in route.query:
            raise Refusal("query", f"{shown(key)} is not a parameter of {route.name}")
        canonical[key] = route.query[key](value)
    if body and not is_json:
        raise Refusal("body", "the type of a body must be application/json", 400)
    wanted = parse_body(route.body, body or b"{}") if body or route.takes_body else None
    return Asked(route.shows, reference, canonical, wanted)


def _reference(segment: str | None) -> str:
    if segment is None:
        return ""
    if not _REFERENCE.fullmatch(segment):
        raise Refusal("route", f"{shown(segment)} is not a name or id")
    return segment
