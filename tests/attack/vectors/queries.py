"""Query parameters: filters that widen a listing, values read in two ways, parameters with power."""

import json
from typing import Final
from urllib.parse import quote

from vectors.row import ALLOWED, HARMLESS, REFUSED, Vector, container

CLASS: Final = "Queries"
NARROW: Final = "the client's filters are added to the guard's own and cannot widen them"
LITERAL: Final = "filters are literal: the engine takes names and ids for regular expressions"
TABLE: Final = "query parameters are in the route's table, once each, in one form"
NAME: Final = "names of containers are plain, and nobody's id"
_LIST = "/v1.45/containers/json"
_NETWORKS = "/v1.45/networks"


def _filtered(name: str, what: str, filters: object, *, path: str = _LIST, more: str = "&all=1") -> Vector:
    text = filters if isinstance(filters, str) else json.dumps(filters)
    query = f"filters={quote(text, safe='@')}{more}"
    return Vector(
        f"query-filter-{name}", what, NARROW, method="GET", path=f"{path}?{query}", answers=HARMLESS
    )


def _pattern(name: str, what: str, filters: object, *, path: str = _LIST, more: str = "&all=1") -> Vector:
    query = f"filters={quote(json.dumps(filters), safe='@')}{more}"
    return Vector(f"query-filter-{name}", what, LITERAL, method="GET", path=f"{path}?{query}")


def _get(name: str, what: str, path: str, *, answers: frozenset[int] = REFUSED) -> Vector:
    return Vector(f"query-{name}", what, TABLE, method="GET", path=path, answers=answers)


def _create(
    name: str, what: str, query: str, *, answers: frozenset[int] = REFUSED, rule: str = NAME
) -> Vector:
    path = f"/v1.45/containers/create?{query}"
    return Vector(
        f"query-create-{name}", what, rule, path=path, body=container(), answers=answers, alone=False
    )


VECTORS: Final = (
    _get("list-all", "a list without filters", f"{_LIST}?all=1", answers=HARMLESS),
    _get("list-plain", "a list without parameters", _LIST, answers=ALLOWED),
    _get("list-size", "sizes: the engine walks all file systems", f"{_LIST}?all=1&size=1", answers=HARMLESS),
    _get("list-limit", "the last 100, which ignores states", f"{_LIST}?limit=100", answers=HARMLESS),
    _get("list-since", "since a victim", f"{_LIST}?since=@VICTIM_ID@"),
    _get("list-before", "before a victim", f"{_LIST}?before=@VICTIM_NAME@"),
    _filtered("empty", "filters {}", {}),
    _filtered("label-empty", "label []", {"label": []}),
    _filtered("label-other", "a victim's label", {"label": ["attack.victim"]}),
    _filtered("label-not", "label!: all that lack it", {"label!": ["discovery.dryrun.session_id"]}),
    _filtered("label-map", "label as a map", {"label": {"attack.victim": True}}),
    _filtered(
        "label-map-false",
        "the guard's own label switched off",
        {"label": {"discovery.dryrun.session_id": False}},
    ),
    _filtered("name", "a victim's name", {"name": ["@VICTIM_NAME@"]}),
    _pattern("name-pattern", "names by pattern", {"name": [".*"]}),
    _pattern("name-catastrophe", "a pattern that takes for ever", {"name": ["(a+)+" * 20 + "$"]}),
    _pattern(
        "name-repeated", "a pattern of a thousand times a thousand", {"name": ["((a{0,30}){0,30}){0,1}b"]}
    ),
    _pattern(
        "name-many", "thirty-two patterns", {"name": [f"(x{{0,{n}}}y{{0,99}}){{0,9}}" for n in range(32)]}
    ),
    _pattern("name-long", "a name of 250 letters", {"name": ["a" * 250]}),
    _pattern("name-anchored", "a name between anchors", {"name": ["^/?@VICTIM_NAME@$"]}),
    _pattern("name-letters", "letters that look like others", {"name": ["dryrun-\u0430\u0301"]}),
    _pattern("id-pattern", "ids by pattern", {"id": ["^[0-9a-f]{64}$"]}),
    _pattern("id-any", "any id", {"id": [".*", "|"]}),
    _pattern("label-pattern", "labels by pattern", {"label": ["attack.victim=(.*)"]}),
    _pattern("status-pattern", "states by pattern", {"status": ["run.*"]}),
    _pattern(
        "networks-pattern", "networks by pattern", {"name": ["(prod|bridge|.)*"]}, path=_NETWORKS, more=""
    ),
    _pattern(
        "networks-id-pattern", "networks by a pattern of ids", {"id": ["[0-9a-f]+"]}, path=_NETWORKS, more=""
    ),
    _pattern(
        "events-pattern", "events by pattern", {"container": [".+"]}, path="/v1.45/events", more="&until=1"
    ),
    _filtered("id", "a victim's id", {"id": ["@VICTIM_ID@"]}),
    _filtered("ancestor", "containers of an image outside", {"ancestor": ["@OUTSIDE_NAME@"]}),
    _filtered("volume", "containers with a volume", {"volume": ["/"]}),
    _filtered("network", "containers of a foreign network", {"network": ["@VICTIM_NETWORK@"]}),
    _filtered("network-id", "containers of a foreign network by id", {"network": ["@VICTIM_NETWORK_ID@"]}),
    _filtered("publish", "containers with ports", {"publish": ["1-65535"]}),
    _filtered("since", "since a victim, whose absence would show", {"since": ["@VICTIM_ID@"]}),
    _filtered("before", "before a victim", {"before": ["@VICTIM_ID@"]}),
    _filtered("status", "any status", {"status": ["created", "running", "exited", "paused", "dead"]}),
    _filtered("exited", "exit codes", {"exited": ["0", "137", "143"]}),
    _filtered("is-task", "is-task", {"is-task": ["false"]}),
    _filtered("health", "health", {"health": ["none", "healthy", "starting", "unhealthy"]}),
    _filtered("unknown", "a filter that no engine knows", {"attack": ["x"]}),
    _filtered("list", "filters as a list", ["label"]),
    _filtered("text", "filters as a text", '"label"'),
    _filtered("broken", "filters that are no JSON: old engines ignored them", "{label"),
    _filtered("trailing", "filters with a second value", '{"label":["x"]}{"name":["@VICTIM_NAME@"]}'),
    _filtered("twice", "a filter twice", '{"label":["discovery.dryrun.session_id"],"label":[]}'),
    _filtered("case", "Label", {"Label": ["attack.victim"]}),
    _filtered("null", "label null", {"label": None}),
    _filtered("numbers", "label 1", {"label": [1]}),
    _filtered("nested", "label [[...]]", {"label": [["attack.victim"]]}),
    _filtered("deep", "filters a hundred thousand deep", "[" * 4000),
    _filtered("many", "a thousand filters", {"label": [f"x{n}" for n in range(1000)]}),
    _filtered("value", "the session label with an empty value", {"label": ["discovery.dryrun.session_id="]}),
    _filtered(
        "value-longer",
        "a victim's longer session value",
        {"label": ["discovery.dryrun.session_id=@SESSION@-x"]},
    ),
    _filtered(
        "upper", "the session label in upper case", {"label": ["DISCOVERY.DRYRUN.SESSION_ID=@SESSION@"]}
    ),
    _filtered("networks-empty", "networks with filters {}", {}, path=_NETWORKS, more=""),
    _filtered(
        "networks-name",
        "networks by a victim's name",
        {"name": ["@VICTIM_NETWORK@"]},
        path=_NETWORKS,
        more="",
    ),
    _filtered("networks-type", "networks by type", {"type": ["builtin"]}, path=_NETWORKS, more=""),
    _filtered("networks-dangling", "unused networks", {"dangling": ["true"]}, path=_NETWORKS, more=""),
    _filtered(
        "networks-driver",
        "networks by driver",
        {"driver": ["bridge", "host", "null"]},
        path=_NETWORKS,
        more="",
    ),
    _filtered(
        "networks-label-not",
        "networks that lack the label",
        {"label!": ["discovery.dryrun.session_id"]},
        path=_NETWORKS,
        more="",
    ),
    _get("networks-plain", "networks without filters", _NETWORKS, answers=ALLOWED),
    _get(
        "filters-twice",
        "filters twice",
        f"{_LIST}?filters=%7B%22label%22%3A%5B%22discovery.dryrun.session_id%22%5D%7D&filters=%7B%7D",
    ),
    _get(
        "filters-encoded-name",
        "f%69lters beside filters",
        f"{_LIST}?filters=%7B%7D&f%69lters=%7B%22id%22%3A%5B%22@VICTIM_ID@%22%5D%7D",
    ),
    _get("semicolon", "a parameter behind ;", f"{_LIST}?all=1;filters=%7B%7D"),
    _get("case", "Filters", f"{_LIST}?Filters=%7B%7D"),
    _get("unknown", "a parameter that no engine knows", f"{_LIST}?attack=1"),
    _get("all-words", "all=yes", f"{_LIST}?all=yes"),
    _get("limit-negative", "limit=-1", f"{_LIST}?limit=-1", answers=HARMLESS),
    _get("limit-huge", "a limit of 5,000 digits", f"{_LIST}?limit=" + "9" * 5000),
    _get("bad-encoding", "a broken escape", f"{_LIST}?all=%zz"),
    _get("nul", "a NUL", f"{_LIST}?all=1%00"),
    _get("bad-utf-8", "bytes that are no UTF-8", f"{_LIST}?filters=%ff%fe"),
    _get("long", "a query of 60,000 bytes", f"{_LIST}?filters=" + "x" * 60_000),
    _get("many", "ten thousand parameters", f"{_LIST}?" + "&".join(["all=1"] * 10_000)),
    _get("inspect-size", "inspect with size", "/v1.45/containers/@TARGET_ID@/json?size=1", answers=HARMLESS),
    _get(
        "network-verbose", "a network verbosely", "/v1.45/networks/@NETWORK@?verbose=true", answers=HARMLESS
    ),
    _get("network-scope", "a network by scope", "/v1.45/networks/@NETWORK@?scope=swarm", answers=HARMLESS),
    _get("stats-stream", "stats as a stream", "/v1.45/containers/@TARGET_ID@/stats?stream=1"),
    _get(
        "stats-default",
        "stats with the default, a stream",
        "/v1.45/containers/@TARGET_ID@/stats",
        answers=HARMLESS,
    ),
    _get(
        "logs-details",
        "logs with details",
        "/v1.45/containers/@TARGET_ID@/logs?stdout=1&details=1",
        answers=HARMLESS,
    ),
    _get("logs-since", "logs since words", "/v1.45/containers/@TARGET_ID@/logs?stdout=1&since=yesterday"),
    _get(
        "logs-tail", "logs, tail -1", "/v1.45/containers/@TARGET_ID@/logs?stdout=1&tail=-1", answers=HARMLESS
    ),
    Vector(
        "query-wait-condition",
        "wait for an unknown condition",
        TABLE,
        path="/v1.45/containers/@TARGET_ID@/wait?condition=x",
    ),
    _get("version-query", "version with a parameter", "/version?x=1"),
    _create("name-victim", "a victim's name: the conflict must not tell its id", "name=@ALIKE_NAME@"),
    _create("name-outside-form", "a victim's name without the design's form", "name=@VICTIM_NAME@"),
    _create("name-victim-id", "a victim's full id as a name", "name=@VICTIM_ID@"),
    _create("name-victim-short", "a victim's short id as a name", "name=@VICTIM_SHORT@"),
    _create("name-slash", "a name with slashes", "name=dryrun-/a/b"),
    _create("name-dots", "a name that is a path", "name=..%2f..%2fx"),
    _create("name-space", "a name with a space", "name=dryrun-a%20b"),
    _create("name-newline", "a name with a line feed", "name=dryrun-a%0ab"),
    _create("name-nul", "a name with a NUL", "name=dryrun-a%00b"),
    _create("name-long", "a name of 5,000 letters", "name=dryrun-" + "a" * 5000),
    _create("name-twice", "two names", "name=@NAME@&name=@NAME@b", rule=TABLE),
    _create("name-empty", "an empty name", "name=", answers=HARMLESS),
    _create("name-markup", "a name that is markup", "name=dryrun-%3Cscript%3E"),
    _create(
        "platform", "another platform: clients pull for it", "name=@NAME@&platform=linux/arm64", rule=TABLE
    ),
    _create(
        "platform-empty",
        "an empty platform, as the docker CLI never sends it",
        "name=@NAME@&platform=",
        rule=TABLE,
        answers=HARMLESS,
    ),
    _create("unknown", "a parameter that no engine knows", "name=@NAME@&privileged=1", rule=TABLE),
    _create(
        "body-in-query",
        "HostConfig in the query",
        "name=@NAME@&HostConfig=%7B%22Privileged%22%3Atrue%7D",
        rule=TABLE,
    ),
    Vector(
        "query-remove-link",
        "removal of a link",
        TABLE,
        method="DELETE",
        path="/v1.45/containers/@TARGET_ID@?link=1",
    ),
    Vector(
        "query-remove-unknown",
        "removal with an unknown parameter",
        TABLE,
        method="DELETE",
        path="/v1.45/containers/@TARGET_ID@?all=1",
    ),
    Vector(
        "query-remove-twice",
        "removal, force twice",
        TABLE,
        method="DELETE",
        path="/v1.45/containers/@TARGET_ID@?force=0&force=1",
    ),
    Vector(
        "query-stop-signal",
        "stop with a signal of the client's choice",
        TABLE,
        path="/v1.45/containers/@TARGET_ID@/stop?signal=SIGSTOP",
    ),
    Vector(
        "query-stop-forever",
        "stop that waits for ever",
        TABLE,
        path="/v1.45/containers/@TARGET_ID@/stop?t=-1",
    ),
    Vector(
        "query-stop-huge",
        "stop that waits for a year",
        TABLE,
        path="/v1.45/containers/@TARGET_ID@/stop?t=31536000",
    ),
    Vector(
        "query-start-detach",
        "start with other detach keys",
        TABLE,
        path="/v1.45/containers/@TARGET_ID@/start?detachKeys=a",
    ),
    Vector(
        "query-start-checkpoint",
        "start from a checkpoint",
        TABLE,
        path="/v1.45/containers/@TARGET_ID@/start?checkpoint=x&checkpoint-dir=/",
    ),
    Vector(
        "query-start-body",
        "start with a body, which API 1.23 obeyed",
        "no body where none belongs",
        path="/v1.45/containers/@TARGET_ID@/start",
        body={"Privileged": True, "Binds": ["/:/h"]},
    ),
    Vector(
        "query-get-body",
        "a listing with a body",
        "no body where none belongs",
        method="GET",
        path=f"{_LIST}?all=1",
        body={"all": 1},
        answers=HARMLESS,
    ),
)
