"""The command line of `discovery-collect`: turns arguments, files and the environment into an assignment."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from discovery_collectors.collector import Assignment, Descriptor
from discovery_collectors.installed import installed_collectors
from discovery_collectors.running.credentials import read_credentials
from discovery_collectors.running.earlier_output import EarlierOutput, read_output
from discovery_collectors.running.rehearsal import IMAGE_VARIABLE, require_rehearsal
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import (
    CollectorConfig,
    from_environment,
)


@dataclass(frozen=True, slots=True)
class Command:
    """What to run."""

    collector: str
    assignment: Assignment
    awaits_discoveries: bool = False
    """Whether its discoveries are still to come on standard input, see `handed_over.py`."""
    notes: tuple[str, ...] = ()
    """What the user should know before it runs."""
    not_covered: tuple[str, ...] = ()
    """What the scan that found its discoveries did not look at, so that this one cannot either."""
    warnings: tuple[str, ...] = ()
    """Why its discoveries are not all that there are, so that this scan is not whole either."""


def read_command(arguments: Sequence[str], environ: Mapping[str, str]) -> Command:
    """Understand the command line.

    Raises ConfigError, ScopeError or NotRehearsedError (a ValueError all) with a sentence for the user;
    argparse itself ends the program with exit code 2 on wrong arguments.
    """
    words = _parser().parse_args(arguments)
    if words.collector == "run":
        config = from_environment(environ)
        held = _rehearsal(words, words.name, config, environ)
        configured = Assignment.from_config(config)
        configured.scope.require_open()
        return Command(words.name, configured, config.awaits_discoveries, held)
    scope = Scope.parse(words.targets, words.exclude)
    scope.require_open()
    collector = installed_collectors()[words.collector]
    engines = collector.credentials
    given = read_credentials(getattr(words, "credentials", None))
    config = CollectorConfig(
        cidr=words.targets[0],
        profile=getattr(words, "profile", "quick"),
        max_rate=words.max_rate,
        credentials=tuple(login for login in given if login.engine in engines),
    )
    known = ", ".join(sorted(engines))
    unused = (
        f"the collector {words.collector} has no use for credentials of {engine}; it uses {known}"
        for engine in sorted({login.engine for login in given} - engines)
    )
    nowhere = (
        f"a credential for {login.engine} names no addresses in `at` and is not used: it travels in the clear"
        for login in config.credentials
        if login.engine in collector.in_clear and not login.at
    )
    notes = (*unused, *nowhere, *_rehearsal(words, words.collector, config, environ))
    source = getattr(words, "discoveries", None)
    earlier = EarlierOutput() if source is None else read_output(source)
    assignment = Assignment(
        scope,
        profile=config.profile,
        max_rate=config.max_rate,
        credentials=config.credentials,
        discoveries=earlier.discoveries,
    )
    return Command(
        words.collector,
        assignment,
        notes=notes,
        not_covered=earlier.not_covered,
        warnings=() if earlier.cut_off is None else (earlier.cut_off,),
    )


def _rehearsal(
    words: argparse.Namespace, collector: str, config: CollectorConfig, environ: Mapping[str, str]
) -> tuple[str, ...]:
    if words.rehearsed is None:
        return ()
    image_id = words.image_id or environ.get(IMAGE_VARIABLE)
    return (require_rehearsal(words.rehearsed, collector, config, image_id),)


_EXIT_CODES = (
    "Exit codes: 0 complete, 1 failed (there is no end line), 2 wrong call or configuration, 130 ended by "
    "Ctrl-C, 143 by SIGTERM (no end line either)."
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="discovery-collect",
        description="Discover a network and report what is there, one JSON object a line on standard output.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="collector", required=True, metavar="COMMAND")
    collectors = installed_collectors()
    run = commands.add_parser(
        "run", help="take the configuration from the variable DISCOVERY_CONFIG", epilog=_EXIT_CODES
    )
    run.add_argument("name", choices=list(collectors), help="which collector")
    _add_rehearsal(run)
    # Those that need nothing come first: the others take what they find.
    for name, collector in sorted(collectors.items(), key=lambda each: bool(each[1].needs)):
        summary = collector.summary.replace("%", "%%")
        _add_collector(commands.add_parser(name, help=summary, epilog=_EXIT_CODES), collector)
    return parser


def _add_collector(command: argparse.ArgumentParser, collector: Descriptor) -> None:
    _add_rehearsal(command)
    command.add_argument(
        "--targets",
        action="append",
        required=True,
        metavar="CIDR",
        help="network or address to inspect; may be given several times",
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
        help="packets per second at most (default: no limit; docs/collectors states the load without one)",
    )
    if collector.profiles:
        covers = "; ".join(f"{profile}: {what}" for profile, what in collector.profiles.items())
        command.add_argument(
            "--profile",
            choices=tuple(collector.profiles),
            default="quick",
            help=f"{covers} (default: quick)",
        )
    if collector.needs:
        command.add_argument(
            "--from",
            dest="discoveries",
            required=True,
            metavar="FILE",
            help="output of the network collector (- for standard input)",
        )
    if collector.credentials:
        command.add_argument(
            "--credentials",
            type=Path,
            metavar="FILE",
            help='JSON: [{"engine": "…", "username": "…", "password": "…", "at": ["10.0.0.7"]}]; engine: '
            + ", ".join(sorted(collector.credentials)),
        )


def _add_rehearsal(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rehearsed",
        type=Path,
        metavar="REPORT",
        help="report of a dry-run as JSON; run only the image and configuration that it is about",
    )
    command.add_argument(
        "--image-id",
        metavar="ID",
        help=f"ID of the image this runs from, for --rehearsed (default: the variable {IMAGE_VARIABLE})",
    )


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number
