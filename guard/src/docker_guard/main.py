"""The command `docker-guard`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from docker_guard.policy import ConfigurationError

DOCKER = "unix:///var/run/docker.sock"
LISTEN = "unix:///run/guard/docker.sock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 is success (or allowed), 1 refused, 2 a setting that cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigurationError as error:
        print(f"docker-guard: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to its user
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="docker-guard", description="A Docker socket proxy that reads what it lets through."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="guard an engine")
    serve.add_argument("--listen", default=LISTEN, help=f"unix:///PATH or tcp://HOST:PORT ({LISTEN})")
    serve.add_argument("--docker", default=DOCKER, help=f"the engine ({DOCKER})")
    serve.add_argument("--allowlist", type=Path, required=True)
    serve.add_argument("--policy", type=Path, help="JSON or TOML; without it, the defaults")
    serve.add_argument("--metrics", metavar="HOST:PORT", help="serve Prometheus metrics there")
    serve.set_defaults(run=_serve)

    pin = commands.add_parser("pin", help="write images of this engine into an allowlist")
    pin.add_argument("image", nargs="+")
    pin.add_argument("--allowlist", type=Path, required=True)
    pin.add_argument("--policy", type=Path)
    pin.add_argument("--docker", default=DOCKER)
    pin.add_argument("--environment", action="append", default=[], metavar="KEY")
    pin.add_argument("--capability", action="append", default=[], metavar="NAME")
    pin.add_argument("--tmpfs", action="append", default=[], metavar="PATH:BYTES[:UID:GID[:MODE]]")
    pin.add_argument("--writable-root", action="store_true")
    pin.set_defaults(run=_pin)

    table = commands.add_parser("allowlist", help="show an allowlist as a table")
    table.add_argument("--allowlist", type=Path, required=True)
    table.add_argument("--policy", type=Path)
    table.set_defaults(run=_allowlist)

    check = commands.add_parser("check", help="say what would be decided about a request, without an engine")
    check.add_argument("method")
    check.add_argument("path", help="with its query")
    check.add_argument("body", nargs="?", type=Path, help="a file")
    check.add_argument("--allowlist", type=Path, required=True)
    check.add_argument("--policy", type=Path)
    check.set_defaults(run=_check)

    health = commands.add_parser("healthcheck", help="ask a guard whether it and its engine answer")
    health.add_argument("--listen", default=LISTEN)
    health.set_defaults(run=_healthcheck)
    return parser


def _serve(options: argparse.Namespace) -> int:
    from docker_guard.serve import ServeSettings, serve

    serve(ServeSettings(options.listen, options.docker, options.allowlist, options.policy, options.metrics))
    return 0


def _pin(options: argparse.Namespace) -> int:
    from docker_guard.commands import pin

    return pin(options)


def _allowlist(options: argparse.Namespace) -> int:
    from docker_guard.commands import show_allowlist

    return show_allowlist(options)


def _check(options: argparse.Namespace) -> int:
    from docker_guard.commands import check

    return check(options)


def _healthcheck(options: argparse.Namespace) -> int:
    from docker_guard.commands import healthcheck

    return healthcheck(options)
