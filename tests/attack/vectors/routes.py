"""Calls of the engine that are not in the guard's table; each is tried on the session's own container."""

from typing import Any, Final

from vectors.row import EVIL, Vector

CLASS: Final = "Routes"
TABLE: Final = "routes are a table: what is not in it is refused"

_CALLS: Final[tuple[tuple[str, str, str, Any], ...]] = (
    ("GET", "/info", "the engine's configuration", None),
    ("GET", "/system/df", "disk use, with all names", None),
    ("POST", "/auth", "a registry login", {"username": "x", "password": "x", "serveraddress": "127.0.0.1:1"}),
    ("GET", "/images/json", "all images", None),
    ("GET", "/images/@OUTSIDE_NAME@/json", "an image outside the list", None),
    ("GET", "/images/@IMAGE_NAME@/json", "an image of the list", None),
    ("GET", "/images/@IMAGE_NAME@/history", "an image's history", None),
    ("GET", "/images/@IMAGE_NAME@/get", "an image's content", None),
    ("GET", "/images/get?names=@IMAGE_NAME@", "images' contents", None),
    ("GET", "/images/search?term=x", "a search in a registry", None),
    ("POST", "/images/create?fromImage=127.0.0.1:1/discovery/test-attack&tag=1", "a pull", None),
    ("POST", "/images/create?fromSrc=-&repo=discovery/test-attack", "an import", ""),
    ("POST", "/images/load", "a load", ""),
    (
        "POST",
        "/images/@OUTSIDE_NAME@/tag?repo=discovery/test-attack-@NONCE@&tag=1",
        "a re-tag to a listed name",
        None,
    ),
    ("POST", "/images/@IMAGE_NAME@/push", "a push", None),
    ("POST", "/images/prune", "removal of images", None),
    ("DELETE", "/images/@SPARE_NAME@?force=1", "removal of an image", None),
    ("GET", "/distribution/@IMAGE_NAME@/json", "a registry asked", None),
    ("POST", "/build", "a build", ""),
    ("POST", "/build/prune", "removal of build caches", None),
    ("POST", "/build/cancel", "a build cancelled", None),
    (
        "POST",
        "/commit?container=@TARGET_ID@&repo=discovery/test-attack&tag=2",
        "an image from a container",
        None,
    ),
    ("POST", "/session", "a BuildKit session", None),
    ("POST", "/grpc", "BuildKit by gRPC", None),
    ("POST", "/containers/@TARGET_ID@/exec", "a command inside", {"Cmd": ["id"], "AttachStdout": True}),
    ("POST", "/exec/@VICTIM_ID@/start", "a command started", {"Detach": True}),
    ("GET", "/exec/@VICTIM_ID@/json", "a command inspected", None),
    ("POST", "/exec/@VICTIM_ID@/resize?h=1&w=1", "a command's terminal", None),
    ("POST", "/containers/@TARGET_ID@/attach?stream=1&stdin=1", "attach", None),
    ("GET", "/containers/@TARGET_ID@/attach/ws?stream=1", "attach by WebSocket", None),
    ("GET", "/containers/@TARGET_ID@/archive?path=/etc", "files read", None),
    ("HEAD", "/containers/@TARGET_ID@/archive?path=/etc", "files looked at", None),
    ("PUT", "/containers/@TARGET_ID@/archive?path=/", "files written", ""),
    ("POST", "/containers/@TARGET_ID@/copy", "files read, the old way", {"Resource": "/etc"}),
    ("GET", "/containers/@TARGET_ID@/export", "a whole file system", None),
    ("GET", "/containers/@TARGET_ID@/changes", "changed files", None),
    ("GET", "/containers/@TARGET_ID@/top", "processes", None),
    ("POST", "/containers/@TARGET_ID@/update", "other limits", {"Memory": 0, "PidsLimit": -1, "NanoCpus": 0}),
    ("POST", "/containers/@TARGET_ID@/update", "a restart policy", {"RestartPolicy": {"Name": "always"}}),
    ("POST", "/containers/@TARGET_ID@/rename?name=@VICTIM_NAME@-x", "another name", None),
    ("POST", "/containers/@TARGET_ID@/kill?signal=STOP", "a signal", None),
    ("POST", "/containers/@TARGET_ID@/pause", "pause", None),
    ("POST", "/containers/@TARGET_ID@/unpause", "unpause", None),
    ("POST", "/containers/@TARGET_ID@/restart", "restart", None),
    ("POST", "/containers/@TARGET_ID@/resize?h=1&w=1", "a terminal's size", None),
    ("GET", "/containers/@TARGET_ID@/checkpoints", "checkpoints", None),
    (
        "POST",
        "/containers/@TARGET_ID@/checkpoints",
        "a checkpoint",
        {"CheckpointID": "x", "CheckpointDir": "/"},
    ),
    ("POST", "/containers/prune", "removal of all that has ended", None),
    ("POST", "/networks/prune", "removal of unused networks", None),
    (
        "POST",
        "/networks/@NETWORK@/connect",
        "a victim on the session's network",
        {"Container": "@VICTIM_ID@"},
    ),
    (
        "POST",
        "/networks/@VICTIM_NETWORK@/connect",
        "the target on a foreign network",
        {"Container": "@TARGET_ID@"},
    ),
    ("POST", "/networks/bridge/connect", "the target on the default bridge", {"Container": "@TARGET_ID@"}),
    (
        "POST",
        "/networks/@NETWORK@/disconnect",
        "the target off its network",
        {"Container": "@TARGET_ID@", "Force": True},
    ),
    ("GET", "/volumes", "all volumes", None),
    (
        "POST",
        "/volumes/create",
        "a local volume that binds /",
        {"Name": "attack-@NONCE@", "DriverOpts": {"type": "none", "o": "bind", "device": "/"}},
    ),
    ("GET", "/volumes/x", "a volume", None),
    ("DELETE", "/volumes/x?force=1", "removal of a volume", None),
    ("POST", "/volumes/prune", "removal of volumes", None),
    ("POST", "/swarm/init", "a swarm", {"ListenAddr": "127.0.0.1:1"}),
    ("POST", "/swarm/join", "joining a swarm", {"RemoteAddrs": ["127.0.0.1:1"], "JoinToken": "x"}),
    ("GET", "/swarm", "the swarm", None),
    ("GET", "/nodes", "nodes", None),
    ("GET", "/services", "services", None),
    ("POST", "/services/create", "a service", {"TaskTemplate": {"ContainerSpec": {"Image": "@IMAGE@"}}}),
    ("GET", "/tasks", "tasks", None),
    ("GET", "/secrets", "secrets", None),
    ("POST", "/secrets/create", "a secret", {"Name": "x", "Data": "eA=="}),
    ("GET", "/configs", "configs", None),
    ("GET", "/plugins", "plugins", None),
    ("GET", "/plugins/privileges?remote=127.0.0.1:1/x", "a plugin's privileges", None),
    ("POST", "/plugins/pull?remote=127.0.0.1:1/x", "a plugin", []),
    ("POST", "/plugins/create?name=x", "a plugin made", ""),
    ("GET", "/debug/pprof/", "the engine's profiler", None),
    ("GET", "/debug/vars", "the engine's variables", None),
    ("GET", "/metrics", "metrics on the engine's socket", None),
    ("PUT", "/containers/create", "PUT on a route for POST", EVIL),
    ("PATCH", "/containers/@TARGET_ID@", "PATCH", EVIL),
    ("TRACE", "/containers/json", "TRACE", None),
    ("DELETE", "/containers/@TARGET_ID@/json", "DELETE on a route for GET", None),
    ("POST", "/containers/json", "POST on a route for GET", EVIL),
    ("GET", "/containers/create", "GET on a route for POST", EVIL),
    ("GET", "/containers/@TARGET_ID@", "GET on a route for DELETE", None),
    ("DELETE", "/networks", "DELETE on all networks", None),
    ("DELETE", "/containers", "DELETE on all containers", None),
)


def _name(method: str, path: str, what: str) -> str:
    words = path.partition("?")[0].replace("@", "").replace("/", " ").split()
    is_twice = path.startswith(("/images/create", "/containers/@TARGET_ID@/update"))
    ending = what.rsplit(maxsplit=1)[-1] if is_twice else ""
    return "-".join(("route", method, *(word for word in (*words, ending) if word))).lower()


VECTORS: Final = tuple(
    Vector(
        _name(method, path, what),
        f"{method} {path.partition('?')[0]}: {what}",
        TABLE,
        method=method,
        path=f"/v1.45{path}",
        body=body,
    )
    for method, path, what, body in _CALLS
)
