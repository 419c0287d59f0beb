"""Runs the host rule's script to check that sessions cannot reach this host. Set-up installs the rule."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dryrun_contract.text import printable
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import from_here

SECONDS = 30.0
"""The script takes a tenth of a second; if it takes longer, another program locks the kernel's tables."""
SCRIPT_FROM_ROOT = Path("deploy/host-rule/dryrun-host-rule")

# The script's exit codes.
_COMPLETE, _INCOMPLETE, _NOT_ROOT = 0, 1, 3


class HostRuleError(LocalError):
    """The host rule could not be checked; the text says why and what to do next."""


@dataclass(frozen=True, slots=True)
class HostRuleState:
    """State of the rule. `complete` is None where only root may read it; `problems` has one line for each."""

    complete: bool | None
    problems: tuple[str, ...]
    fix: str
    """The shell command that installs the rule."""


class HostRule:
    """The rule's script in the checkout at `root`."""

    def __init__(
        self, root: Path, *, seconds: float = SECONDS, user_id: Callable[[], int] = os.geteuid
    ) -> None:
        self._script = root / SCRIPT_FROM_ROOT
        self._seconds = seconds
        self._fix = f"{'' if user_id() == 0 else 'sudo '}{from_here(self._script)} install"

    async def check(self) -> HostRuleState:
        """Return the state of the rule. Raises HostRuleError when the script fails."""
        code, lines = await self._run()
        if code == _COMPLETE:
            return HostRuleState(complete=True, problems=(), fix=self._fix)
        if code == _INCOMPLETE:
            problems = tuple(line.removeprefix("  - ") for line in lines if line.startswith("  - "))
            return HostRuleState(complete=False, problems=problems, fix=self._fix)
        if code == _NOT_ROOT:
            return HostRuleState(complete=None, problems=("only root may read it",), fix=self._fix)
        raise HostRuleError(f"{self._script} check ended with exit code {code}: {'; '.join(lines)}")

    async def _run(self) -> tuple[int, tuple[str, ...]]:
        try:
            process = await asyncio.create_subprocess_exec(
                str(self._script),
                "check",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            raise HostRuleError(f"{self._script} cannot be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(self._seconds):
                output, _ = await process.communicate()
        except TimeoutError as error:
            raise HostRuleError(
                f"{self._script} check did not end within {self._seconds:.0f} s; does another program "
                "lock the kernel's tables? Try: nft list ruleset"
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        lines = output.decode(errors="replace").splitlines()
        return process.returncode, tuple(printable(line, limit=300).rstrip() for line in lines)
