"""The command `docker-guard`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from docker_guard.rules.policy import ConfigurationError

if TYPE_CHECKING:
    from docker_guard.clients.tls import TlsFiles

DOCKER = "unix:///var/run/docker.sock"
LISTEN = "unix:///run/guard/docker.sock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 for success (or allowed), 1 for refused, 2 for an unusable setting."""
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
    serve.add_argument(
        "--listen", action="append", help=f"unix:///PATH or tcp://HOST:PORT; may be repeated ({LISTEN})"
    )
    serve.add_argument("--tlsverify", action="store_true", help="mutual TLS on every tcp:// address")
    serve.add_argument(
        "--tlscacert", type=Path, metavar="FILE", help="the CA that signs clients' certificates"
    )
    serve.add_argument("--tlscert", type=Path, metavar="FILE", help="the guard's certificate")
    serve.add_argument("--tlskey", type=Path, metavar="FILE", help="its key")
    serve.add_argument(
        "--manager",
        metavar="tcp://HOST:PORT,…",
        help="on a fleet's worker: the guards of the swarm's managers, separated by commas",
    )
    serve.add_argument(
        "--manager-certs",
        type=Path,
        metavar="FOLDER",
        help="ca.pem, cert.pem and key.pem of this guard as a client of those",
    )
    serve.add_argument("--docker", default=DOCKER, help=f"the engine ({DOCKER})")
    _add_files(serve)
    serve.add_argument("--metrics", metavar="HOST:PORT", help="serve Prometheus metrics there")
    serve.set_defaults(run=_serve)

    pin = commands.add_parser("pin", help="write images of this engine into an allowlist")
    pin.add_argument("image", nargs="+", help="as the engine names it")
    _add_files(pin)
    pin.add_argument("--docker", default=DOCKER, help=f"the engine ({DOCKER})")
    for name, form, what in (
        ("--environment", "KEY", "a variable that a client may set"),
        ("--capability", "NAME", "a capability that a client may add"),
        ("--tmpfs", "PATH:BYTES[:UID:GID[:MODE]]", "a folder in memory, and its size"),
    ):
        pin.add_argument(name, action="append", default=[], metavar=form, help=f"{what}; may be repeated")
    pin.add_argument("--writable-root", action="store_true", help="do not make the root read-only")
    pin.set_defaults(run=_pin)

    table = commands.add_parser("allowlist", help="show an allowlist as a table")
    _add_files(table)
    table.set_defaults(run=_allowlist)

    check = commands.add_parser("check", help="show what would be decided about a request, without an engine")
    check.add_argument("method", help="GET, POST or DELETE")
    check.add_argument("path", help="with its query")
    check.add_argument("body", nargs="?", type=Path, help="a file")
    _add_files(check)
    check.set_defaults(run=_check)

    health = commands.add_parser("healthcheck", help="check that a guard and its engine answer")
    health.add_argument("--listen", default=LISTEN, help=f"where the guard listens ({LISTEN})")
    health.set_defaults(run=_healthcheck)
    return parser


def _add_files(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allowlist",
        type=Path,
        required=True,
        metavar="FILE",
        help="images that may run, and what each may have",
    )
    command.add_argument(
        "--policy", type=Path, metavar="FILE", help="limits, JSON or TOML; without it, the defaults"
    )


def _serve(options: argparse.Namespace) -> int:
    from docker_guard.serve import ServeSettings, serve

    listen = tuple(options.listen or [LISTEN])
    tls = _tls_files(options, listen)
    serve(
        ServeSettings(
            listen,
            options.docker,
            options.allowlist,
            options.policy,
            options.metrics,
            tls,
            tuple(options.manager.split(",")) if options.manager else (),
            _manager_files(options),
        )
    )
    return 0


def _manager_files(options: argparse.Namespace) -> "TlsFiles | None":
    from docker_guard.clients.tls import TlsFiles

    folder = options.manager_certs
    if (folder is None) != (options.manager is None):
        raise ConfigurationError("--manager and --manager-certs need each other")
    return None if folder is None else TlsFiles(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


def _tls_files(options: argparse.Namespace, listen: tuple[str, ...]) -> "TlsFiles | None":
    from docker_guard.clients.tls import TlsFiles

    given = [file for file in (options.tlscacert, options.tlscert, options.tlskey) if file is not None]
    if not options.tlsverify:
        if given:
            raise ConfigurationError("--tlscacert, --tlscert and --tlskey need --tlsverify")
        return None
    if len(given) < 3:
        raise ConfigurationError("--tlsverify needs --tlscacert, --tlscert and --tlskey")
    if not any(address.startswith("tcp://") for address in listen):
        raise ConfigurationError("--tlsverify needs a --listen tcp://HOST:PORT")
    return TlsFiles(*given)


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
