"""The engine's ContainerConfig: what runs, as whom, in which world; and the session's labels."""

from typing import Any, Final

from vectors.row import HARMLESS, Vector, collector, container, labels

CLASS: Final = "ContainerConfig, image and labels"
IMAGES_OWN: Final = "command, entrypoint, user, working directory and health check are the image's"
COMMAND: Final = "a command is one of the row's, with this session's addresses and a rate up to the row's"
CLOSED_MODEL: Final = "closed body model: a field that is not in it is refused"
ENVIRONMENT: Final = "environment keys of the image's list only"
IMAGE: Final = "allowlisted image ID, or a name whose current ID is the allowlist's"
SESSION: Final = "labels of the design; session, owner and deadline are the network's"


def _row(name: str, what: str, rule: str = IMAGES_OWN, *, alone: bool = True, **fields: Any) -> Vector:
    return Vector(f"config-{name}", what, rule, body=container(**fields), alone=alone)


def _command(name: str, what: str, *words: str) -> Vector:
    """A collector's row lists two: echo {cidr} --self={self} {exclude}, and echo {rate}, up to 5000."""
    body = collector() | {"Cmd": list(words)}
    return Vector(f"config-command-{name}", what, COMMAND, body=body, alone=True)


_WHAT_RUNS = (
    _row("cmd", "Cmd", Cmd=["sh", "-c", "id"]),
    _row("cmd-text", "Cmd as one text", Cmd="sh"),
    _row("entrypoint", "Entrypoint", Entrypoint=["/bin/sh"]),
    _row("entrypoint-empty", "Entrypoint emptied, Cmd in its place", Entrypoint=[""], Cmd=["sh"]),
    _row("user-root", "User root", User="0:0"),
    _row("user-name", "User by name", User="www-data"),
    _row("working-dir", "WorkingDir", WorkingDir="/root"),
    _row("shell", "Shell", Shell=["/bin/sh", "-c"]),
    _row("on-build", "OnBuild", OnBuild=["RUN id"]),
    _row("args-escaped", "ArgsEscaped", ArgsEscaped=True),
    _row("healthcheck", "Healthcheck with a command", Healthcheck={"Test": ["CMD-SHELL", "id"]}),
    _row("healthcheck-none", "Healthcheck switched off", Healthcheck={"Test": ["NONE"]}),
    _row(
        "healthcheck-flood",
        "Healthcheck every millisecond",
        Healthcheck={"Interval": 1_000_000, "StartInterval": 1_000_000, "StartPeriod": 10**12},
    ),
    _row("stop-signal", "StopSignal that stops nothing", StopSignal="SIGWINCH"),
    _row("stop-timeout", "StopTimeout of a day", StopTimeout=86400),
)

_COMMANDS = (
    _command("other", "another command than the row's", "sh", "-c", "id", "@SUBNET@"),
    _command(
        "network", "a network outside of the session", "echo", "0.0.0.0/0", "--self=@ADDRESS@", "@ADDRESS@"
    ),
    _command("wider", "a wider network", "echo", "10.213.0.0/16", "--self=@ADDRESS@", "@ADDRESS@"),
    _command("self", "another's address for one's own", "echo", "@SUBNET@", "--self=@GATEWAY@", "@ADDRESS@"),
    _command(
        "exclude", "an address outside for an exclusion", "echo", "@SUBNET@", "--self=@ADDRESS@", "10.0.0.1"
    ),
    _command(
        "exclude-option",
        "an option behind an address",
        "echo",
        "@SUBNET@",
        "--self=@ADDRESS@",
        "@ADDRESS@ -x",
    ),
    _command(
        "exclude-line", "a line feed behind an address", "echo", "@SUBNET@", "--self=@ADDRESS@", "@ADDRESS@\n"
    ),
    _command("exclude-empty", "no exclusion", "echo", "@SUBNET@", "--self=@ADDRESS@", ""),
    _command("more", "a word more", "echo", "@SUBNET@", "--self=@ADDRESS@", "@ADDRESS@", "x"),
    _command("less", "a word less", "echo", "@SUBNET@", "--self=@ADDRESS@"),
    _command("place", "places as they stand in the row", "echo", "{cidr}", "--self={self}", "{exclude}"),
    _command("digits", "digits that are no ASCII", "echo", "@SUBNET@", "--self=@ADDRESS@", "10.213.\u0664.5"),
    _command("rate-above", "a rate above the row's", "echo", "5001"),
    _command("rate-none", "no rate", "echo", ""),
    _command("rate-zero", "a rate of nothing", "echo", "0"),
    _command("rate-option", "an option for a rate", "echo", "-n"),
    _command("rate-spelling", "a rate in another spelling", "echo", "0x50"),
    _command("rate-digits", "a rate in digits that are no ASCII", "echo", "\u0665"),
)

_ITS_WORLD = (
    _row(
        "volumes",
        "Volumes: anonymous",
        "no mounts but the allowlist's sized tmpfs",
        alone=False,
        Volumes={"/data": {}},
    ),
    _row("exposed-ports", "ExposedPorts", CLOSED_MODEL, ExposedPorts={"80/tcp": {}}),
    _row("hostname", "Hostname tells the service's name", CLOSED_MODEL, Hostname="db"),
    _row("domainname", "Domainname", CLOSED_MODEL, Domainname="example.org"),
    _row("mac-address", "MacAddress at the top level", CLOSED_MODEL, MacAddress="02:42:0a:d5:00:02"),
    _row("network-disabled", "NetworkDisabled", CLOSED_MODEL, NetworkDisabled=True),
    _row("tty", "Tty", CLOSED_MODEL, Tty=True),
    _row("open-stdin", "OpenStdin", CLOSED_MODEL, OpenStdin=True),
    _row("stdin-once", "StdinOnce", CLOSED_MODEL, StdinOnce=True),
    _row("attach-stdin", "AttachStdin", CLOSED_MODEL, AttachStdin=True),
    _row("platform", "Platform in the body", CLOSED_MODEL, Platform="linux/arm64"),
    _row("unknown", "a field that no engine knows", CLOSED_MODEL, Attack="x"),
)

_ENVIRONMENT = (
    _row("env-outside", "a key outside the list", ENVIRONMENT, Env=["LD_PRELOAD=/scratch/x.so"]),
    _row("env-path", "PATH", ENVIRONMENT, Env=["PATH=/scratch"]),
    _row("env-case", "a key of the list in another case", ENVIRONMENT, Env=["greeting=hello"]),
    _row("env-space", "a key of the list with a space", ENVIRONMENT, Env=["GREETING =hello"]),
    _row("env-no-value", "a key without =, which removes the image's own", ENVIRONMENT, Env=["GREETING"]),
    _row("env-empty-key", "no key", ENVIRONMENT, alone=False, Env=["=hello"]),
    _row("env-twice", "a key twice", ENVIRONMENT, Env=["GREETING=a", "GREETING=b"]),
    Vector(
        "config-env-newline",
        "what looks like a second key after a line feed: part of the first one's value",
        ENVIRONMENT,
        body=container(Env=["GREETING=a\nLD_PRELOAD=/x"]),
        answers=HARMLESS,
    ),
    _row("env-nul", "a NUL in a value", ENVIRONMENT, Env=["GREETING=a\0LD_PRELOAD=/x"]),
    _row("env-huge", "a value of 1 MiB", "bounded sizes", Env=["GREETING=" + "x" * 2**20]),
    _row("env-many", "ten thousand entries", "bounded sizes", Env=["GREETING=a"] * 10_000),
    _row("env-object", "an object in place of the list", "strict types", alone=False, Env={"GREETING": "a"}),
)

_IMAGES = (
    _row("image-outside-id", "an ID outside the list", IMAGE, Image="@OUTSIDE_ID@"),
    _row(
        "image-outside-name",
        "a name outside the prefix",
        IMAGE,
        Image="@OUTSIDE_NAME@",
        Labels=labels(image="@OUTSIDE_NAME@"),
    ),
    _row(
        "image-prefix-only",
        "a name with the prefix that the list lacks",
        IMAGE,
        Image="@PREFIXED_NAME@",
        Labels=labels(image="@PREFIXED_NAME@"),
    ),
    _row(
        "image-retagged",
        "a listed name that now points elsewhere",
        IMAGE,
        Image="@RETAGGED_NAME@",
        Labels=labels(image="@RETAGGED_NAME@"),
    ),
    _row(
        "image-missing",
        "a listed name that the engine lacks; never a 404, on which clients pull",
        IMAGE,
        alone=False,
        Image="@MISSING_NAME@",
        Labels=labels(image="@MISSING_NAME@"),
    ),
    _row(
        "image-unknown",
        "an unknown name with the prefix; never a 404",
        IMAGE,
        alone=False,
        Image="discovery/test-nothing:9",
    ),
    _row(
        "image-digest",
        "a name by digest",
        IMAGE,
        alone=False,
        Image="discovery/test-nothing@sha256:" + "0" * 64,
    ),
    _row(
        "image-name-and-id",
        "a listed name with another's digest",
        IMAGE,
        alone=False,
        Image="@IMAGE_NAME@@@OUTSIDE_ID@",
    ),
    _row(
        "image-registry",
        "a listed name in a registry",
        IMAGE,
        alone=False,
        Image="registry.example/@IMAGE_NAME@",
    ),
    _row("image-docker-io", "a listed name with the default registry", IMAGE, Image="docker.io/@IMAGE_NAME@"),
    _row(
        "image-upper-case", "a listed name in upper case", IMAGE, alone=False, Image="DISCOVERY/TEST-ATTACK:1"
    ),
    _row(
        "image-no-tag",
        "a listed name without its tag",
        IMAGE,
        alone=False,
        Image="discovery/test-attack-@NONCE@",
    ),
    _row("image-newline", "a listed name and a line feed", IMAGE, alone=False, Image="@IMAGE_NAME@\n"),
    _row("image-short-id", "the first 12 digits of an ID outside", IMAGE, Image="@OUTSIDE_SHORT@"),
    _row("image-prefix-id", "an ID outside without sha256:", IMAGE, Image="@OUTSIDE_HEX@"),
    _row("image-id-upper", "an ID of the list in upper case", IMAGE, alone=False, Image="@IMAGE_UPPER@"),
    Vector(
        "config-image-volume",
        "a listed image that declares a VOLUME: the engine would make one",
        IMAGE,
        body=container(Image="@VOLUME@", Labels=labels(image="@VOLUME_NAME@")),
    ),
    Vector(
        "config-image-restless",
        "a listed image with a health check every millisecond",
        IMAGE,
        body=container(Image="@RESTLESS@", Labels=labels(image="@RESTLESS_NAME@")),
    ),
    _row("image-empty", "no image", IMAGE, alone=False, Image=""),
    _row("image-absent", "Image left out", IMAGE, alone=False, Image=None),
    _row("image-list", "a list of images", "strict types", alone=False, Image=["@IMAGE@"]),
    _row(
        "image-dots",
        "a name with dots in it",
        IMAGE,
        alone=False,
        Image="discovery/test-x/../../@OUTSIDE_NAME@",
    ),
    Vector(
        "config-image-own-name",
        "the listed name with its own ID: created by ID",
        IMAGE,
        body=container(Image="@IMAGE_NAME@"),
        answers=HARMLESS,
    ),
    Vector(
        "config-image-own-short-id",
        "a short form of a listed ID",
        IMAGE,
        body=container(Image="@IMAGE_SHORT@"),
        answers=HARMLESS,
        alone=True,
    ),
)


def _labelled(name: str, what: str, *, rule: str = SESSION, **changes: Any) -> Vector:
    return Vector(f"label-{name}", what, rule, body=container(Labels=labels(**changes)), alone=True)


_LABELS = (
    _labelled(
        "session-other", "another session's id on this session's network", session_id="@OTHER_SESSION@"
    ),
    _labelled(
        "session-unknown", "an id that no network has", session_id="8d3b3c6e-3f62-4c5f-9a43-1d1b5c0a7f11"
    ),
    _labelled("session-upper", "this session's id in upper case", session_id="@SESSION_UPPER@"),
    _labelled("session-braces", "this session's id in braces", session_id="{@SESSION@}"),
    _labelled("session-longer", "this session's id and more", session_id="@SESSION@-x"),
    _labelled("session-empty", "an empty id", session_id=""),
    _labelled("session-absent", "no id: what has none is removed by nobody", session_id=None),
    _labelled("owner-other", "another owner", owner="2f0e4c9a-8a5a-4e0e-9c3f-5a3f3a3f3a3f"),
    _labelled("owner-absent", "no owner", owner=None),
    _labelled("expires-later", "a later deadline than the network's", expires_at="2099-01-01T00:00:00Z"),
    _labelled("expires-absent", "no deadline", expires_at=None),
    _labelled("expires-offset", "a deadline with an offset", expires_at="2099-01-01T00:00:00+14:00"),
    _labelled("expires-words", "a deadline in words", expires_at="never"),
    _labelled("role-collector", "a target that calls itself a collector", role="collector"),
    _labelled("role-other", "an unknown role", role="admin"),
    _labelled("image-other", "another image's name on it", image="discovery/test-nginx:1.26"),
    _labelled(
        "service-script",
        "a service name that is markup",
        rule="plain names",
        service="<script>alert(1)</script>",
    ),
    _labelled(
        "service-escape", "a service name with terminal escapes", rule="plain names", service="\x1b]0;x\x07"
    ),
    _labelled("service-huge", "a service name of 1 MiB", rule="bounded sizes", service="x" * 2**20),
    _labelled("template-path", "a template that is a path", rule="plain names", template="../../etc/passwd"),
    Vector(
        "label-foreign-key",
        "a label of another tool: Traefik, Watchtower and the like act on it",
        SESSION,
        body=container(Labels=labels() | {"traefik.enable": "true"}),
        alone=True,
    ),
    Vector(
        "label-upper-key",
        "a design label in upper case beside the right one",
        SESSION,
        body=container(Labels=labels() | {"DISCOVERY.DRYRUN.SESSION_ID": "@OTHER_SESSION@"}),
        alone=True,
    ),
    Vector(
        "label-compose",
        "labels by which Compose takes it for its own",
        SESSION,
        body=container(Labels=labels() | {"com.docker.compose.project": "prod"}),
        alone=True,
    ),
    Vector("label-none", "no labels", SESSION, body=container(Labels=None), alone=True),
    Vector("label-list", "labels as a list", "strict types", body=container(Labels=["a=b"])),
)

VECTORS: Final = (*_WHAT_RUNS, *_COMMANDS, *_ITS_WORLD, *_ENVIRONMENT, *_IMAGES, *_LABELS)
