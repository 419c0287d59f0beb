"""What the cells of a table say of a port or of its host: open or closed, running or gone."""

import re
from enum import Enum, auto

from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost
from dryrun_replica.inventory.readers.csv_columns import CHECKED, HOST_STATE, STATE
from dryrun_replica.inventory.readers.port_cells import CLOSED
from dryrun_replica.inventory.table import Row, folded

OTHER_STATES = "states in the table that say neither open nor closed, running nor gone, ignored"


class State(Enum):
    """What a cell says."""

    OPEN = auto()
    """The port is open, or the host is up."""
    SHUT = auto()
    """The port is not open."""
    STOPPED = auto()
    """Nothing answers: of a row for one port that port, of any other row the host."""
    RUNNING = auto()
    """The host runs, which says nothing of a port."""
    GONE = auto()
    """The host does not run any more, or not yet."""


_WORDS = {
    State.OPEN: "open, up, listening, listen, synack, true, yes, offen, ouvert, abierto",
    State.SHUT: "false, no, geschlossen, ferme, cerrado",
    State.STOPPED: """
        down, offline, off, stopped, halted, inactive, powered off, poweredoff, vm stopped, vm deallocated,
        deallocated, suspended, shutoff, shut down, shutdown, not running, non-operational, inaktiv, inactif,
        arrete, hors ligne, inactivo, apagado
    """,
    State.RUNNING: """
        active, production, in production, in use, deployed, running, vm running, online, live, operational,
        installed, powered on, poweredon, on, aktiv, in betrieb, produktiv, actif, en production, en service,
        en ligne, activo, en produccion, en uso
    """,
    State.GONE: """
        retired, decommissioned, decommed, disposed, scrapped, stolen, sold, lost, archived, removed, deleted,
        terminated, non-active, not active, planned, in stock, in storage, spare, not in use, end of life,
        absent, ausgemustert, stillgelegt, ausser betrieb, verschrottet, geplant, hors service,
        reforme, au rebut, retire, prevu, retirado, de baja, fuera de servicio, planificado
    """,
}
_STATES = {word.strip(): state for state, words in _WORDS.items() for word in words.split(",")}
_STATES.update(dict.fromkeys(CLOSED, State.SHUT))
_BY_ZMAP = {"1": State.OPEN, "0": State.SHUT}
"""Of its column `success` only: elsewhere a number is a monitor's own, and 0 says that all is well."""
_YES_OR_NO = {
    **dict.fromkeys(("yes", "true", "1", "y"), State.RUNNING),
    **dict.fromkeys(("no", "false", "0", "n"), State.GONE),
}


def is_open(row: Row, host: FoundHost, ports: int, findings: Findings) -> bool:
    """Return whether the row's ports are open, as far as its cells say, and note what they say of `host`."""
    is_shut = False
    for column, cell in row.cells.items():
        if column not in STATE and column not in HOST_STATE:
            continue
        state = _state(column, cell)
        if state is State.STOPPED and column in STATE and ports < 2:
            # Without a port, a row about one service or sensor says nothing of its host either.
            of_a_check = ports == 0 and any(each in row.cells for each in CHECKED)
            state = State.SHUT if ports == 1 else None if of_a_check else State.GONE
        elif state is State.STOPPED:
            state = State.GONE
        if state is State.GONE:
            host.absent = "hosts that the table says are not running (such as retired or down), left out"
        elif state is State.RUNNING or (state is State.OPEN and not ports):
            host.is_said_to_run = True
        elif state is State.SHUT and column in STATE:
            is_shut = True
        elif state is not State.OPEN:
            findings.notes[OTHER_STATES] += 1
    return not is_shut


def _state(column: str, cell: str) -> State | None:
    """Return what a cell says; None where it says nothing that is known.

    >>> _state("status", "Retired (2023)"), _state("status", "0"), _state("in_service", "no")
    (<State.GONE: 5>, None, <State.GONE: 5>)
    """
    text = folded(cell)
    if column == "success" and text in _BY_ZMAP:
        return _BY_ZMAP[text]
    if column in {"in_service", "is_active"} and text in _YES_OR_NO:
        return _YES_OR_NO[text]
    before_a_note = re.split(r"\s*[(,;:]|\s+-\s+|\s+\d", text, maxsplit=1)[0]
    return _STATES.get(text) or _STATES.get(before_a_note)
