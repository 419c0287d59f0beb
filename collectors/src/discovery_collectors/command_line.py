"""The command line of `discovery-collect`: turns words, files and the environment into an assignment."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from discovery_collectors.collector import Assignment
from discovery_collectors.registry import COLLECTORS
from discovery_collectors.scope import Scope
from dryrun_contract.collector_config import ConfigError, Credential, from_environment
from dryrun_contract.discovery import COLLECTOR_LINE, Discovery, DiscoveryLine

_CREDENTIALS = TypeAdapter(tuple[Credential, ...])


@dataclass(frozen=True, slots=True)
class Command:
    """What to run."""

    collector: str
    assignment: Assignment


def read_command(arguments: Sequence[str], environ: Mapping[str, str]) -> Command:
    """Understand the command line.

    Raises ConfigError or ScopeError (a ValueError both) with a sentence for the user; argparse itself ends
    the program with exit code 2 when the words do not fit.
    """
    words = _parser().parse_args(arguments)
    if words.collector == "run":
        return Command(words.name, Assignment.from_config(from_environment(environ)))
    scope = Scope.parse(words.targets, words.exclude)
    return Command(
        words.collector,
        Assignment(
            scope,
            profile=getattr(words, "profile", "quick"),
            max_rate=getattr(words, "max_rate", None),
            credentials=_read_credentials(getattr(words, "credentials", None)),
            discoveries=_read_discoveries(getattr(words, "discoveries", None)),
        ),
    )


_COLLECTORS = {
    "network": "hosts, services with versions, TLS certificates (mostly by nmap)",
    "database": "what lies inside PostgreSQL, MariaDB, MySQL, MongoDB and Redis services found before",
    "directory": "LDAP naming contexts, SMB shares, DNS zones that may be copied",
    "snmp": "the system group of SNMP agents found before",
    "web": "titles, servers, frameworks and login pages of web servers found before",
}
_WITH_CREDENTIALS = frozenset({"database", "directory", "snmp"})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="discovery-collect",
        description="Discover a network and say what is there, one JSON object a line on standard output.",
        epilog="Exit codes: 0 complete, 1 failed (there is no end line), 2 wrong call or configuration.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="collector", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="take the configuration from the variable DISCOVERY_CONFIG")
    run.add_argument("name", choices=sorted(COLLECTORS), help="which collector")
    for name, summary in _COLLECTORS.items():
        command = commands.add_parser(name, help=summary)
        command.add_argument(
            "--targets",
            action="append",
            required=True,
            metavar="CIDR",
            help="network or address to look at; may be given several times",
        )
        command.add_argument(
            "--exclude",
            action="append",
            default=[],
            metavar="CIDR",
            help="network or address that must not receive a packet; may be given several times",
        )
        command.add_argument(
            "--max-rate",
            type=_positive,
            metavar="PACKETS",
            help="packets per second at most (default: as docs/collectors says of each)",
        )
        if name == "network":
            command.add_argument(
                "--profile",
                choices=("quick", "full"),
                default="quick",
                help="quick: the 1000 most common TCP ports; full: all 65535 (default: quick)",
            )
            continue
        command.add_argument(
            "--from",
            dest="discoveries",
            required=True,
            metavar="FILE",
            help="output of the network collector (- for standard input)",
        )
        if name in _WITH_CREDENTIALS:
            command.add_argument(
                "--credentials",
                type=Path,
                metavar="FILE",
                help='JSON: [{"engine": "postgresql", "username": "…", "password": "…"}]',
            )
    return parser


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def _read_credentials(path: Path | None) -> tuple[Credential, ...]:
    if path is None:
        return ()
    try:
        return _CREDENTIALS.validate_python(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the credentials in {path}: {error}") from None
    except json.JSONDecodeError as error:
        # Only the place: the text around it may be a password.
        raise ConfigError(f"{path} is not JSON: line {error.lineno}, column {error.colno}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the document"
        raise ConfigError(f"{path}: {where}: {problem['msg']}") from None


def _read_discoveries(source: str | None) -> tuple[Discovery, ...]:
    if source is None:
        return ()
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read discoveries from {source}: {error}") from None
    found = []
    for number, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        try:
            line = COLLECTOR_LINE.validate_json(content)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            raise ConfigError(
                f"{source}: line {number} is not a collector's line: {problem['msg']}"
            ) from None
        if isinstance(line, DiscoveryLine):
            found.append(line.discovery())
    return tuple(found)
