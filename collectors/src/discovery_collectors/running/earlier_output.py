"""What an earlier collector wrote, given to the next one with `--from`."""

import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dryrun_contract.collector_config import ConfigError
from dryrun_contract.discovery import COLLECTOR_LINE, CollectorLine, Discovery, DiscoveryLine, EndLine
from dryrun_contract.faults import first_fault
from dryrun_contract.text import counted


@dataclass(frozen=True, slots=True)
class EarlierOutput:
    """One output, or several, one after the other."""

    discoveries: tuple[Discovery, ...] = ()
    not_covered: tuple[str, ...] = ()
    """What it did not look at."""
    cut_off: str | None = None
    """Why it is not whole: nobody knows what else there is."""


def read_output(source: str) -> EarlierOutput:
    """Read a file, or standard input for `-`. Raises ConfigError."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read discoveries from {source}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read discoveries from {source}: {error}") from None
    # At line feeds only: a text in JSON may hold what else Python takes for the end of a line.
    lines = [
        _line(source, number, content)
        for number, content in enumerate(text.split("\n"), start=1)
        if content.strip()
    ]
    found = tuple(line.discovery() for line in lines if isinstance(line, DiscoveryLine))
    ends = [line for line in lines if isinstance(line, EndLine)]
    promised = sum(end.discoveries for end in ends)
    why = None
    if not lines or not isinstance(lines[-1], EndLine):
        why = "has no end line"
    elif promised != len(found):
        why = f"promises {counted(promised, 'discovery', 'discoveries')} and has {len(found)}"
    return EarlierOutput(
        found,
        tuple(network for end in ends for network in end.not_covered),
        why and f"the output of the earlier scan {why}: services that it does not name are not inspected",
    )


def _line(source: str, number: int, content: str) -> CollectorLine:
    try:
        return COLLECTOR_LINE.validate_json(content)
    except ValidationError as error:
        fault = first_fault(error, "it")
        raise ConfigError(f"{source}: line {number} is not a collector's line: {fault}") from None
