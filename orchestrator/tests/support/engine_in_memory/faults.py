"""What goes wrong between the fake engine and its client, when and how often."""

from dataclasses import dataclass
from typing import Literal

from dryrun_orchestrator.engine.errors import EngineError, EngineUnreachableError

type CallName = Literal[
    "ping",
    "version",
    "create_network",
    "list_networks",
    "remove_network",
    "create_container",
    "start_container",
    "send_input",
    "list_containers",
    "inspect_container",
    "remove_container",
    "read_traffic",
    "read_log",
    "events",
    "past_actions",
]


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong in the next `times` calls of a name; None is every call."""

    times: int | None
    seconds_before: float = 0.0
    error: EngineError | None = None
    has_effect: bool = True
    """Whether the engine does what was asked, although the client may get an error."""
    lands_after: float | None = None
    """Not None: the client gets its error at once, the effect comes that many seconds later."""


@dataclass(frozen=True, slots=True)
class LogCut:
    """One log connection ends after so many bytes of payload; `quietly`: as if the log had ended there."""

    after_bytes: int
    quietly: bool


class Faults:
    """The plan of faults. Those of one call are used up in the order in which they were planned."""

    def __init__(self) -> None:
        self._faults: dict[CallName, list[Fault]] = {}
        self._log_cuts: list[LogCut] = []

    def fail(self, call: CallName, error: EngineError, *, times: int | None = 1, after: bool = False) -> None:
        """Answer with `error`; with `after`, the engine has done it all the same."""
        self._plan(call, Fault(times, error=error, has_effect=after))

    def delay(self, call: CallName, seconds: float, *, times: int | None = 1) -> None:
        """Take longer. A client that is cancelled meanwhile does not stop what it asked for."""
        self._plan(call, Fault(times, seconds_before=seconds))

    def hang(self, call: CallName, *, seconds: float = 0.05, times: int | None = 1) -> None:
        """Never answer: after `seconds` the client's deadline passes; nothing was done."""
        error = EngineUnreachableError(f"{call}: no answer within {seconds:g} s")
        self._plan(call, Fault(times, seconds_before=seconds, error=error, has_effect=False))

    def lose(self, call: CallName, *, lands_after: float, times: int | None = 1) -> None:
        """Lose the client at once; what it asked for comes about `lands_after` seconds later."""
        error = EngineUnreachableError(f"{call}: the connection broke")
        self._plan(call, Fault(times, error=error, lands_after=lands_after))

    def cut_log(self, after_bytes: int, *, times: int = 1, quietly: bool = False) -> None:
        """Cut the next `times` log connections after so many bytes of payload."""
        self._log_cuts += [LogCut(after_bytes, quietly)] * times

    def next_fault(self, call: CallName) -> Fault | None:
        """Use up and return the next fault of a call."""
        for fault in self._faults.get(call, ()):
            if fault.times is None:
                return fault
            if fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def next_log_cut(self) -> LogCut | None:
        """Use up and return the next cut."""
        return self._log_cuts.pop(0) if self._log_cuts else None

    def clear(self) -> None:
        """Forget every planned fault."""
        self._faults.clear()
        self._log_cuts.clear()

    def _plan(self, call: CallName, fault: Fault) -> None:
        self._faults.setdefault(call, []).append(fault)
