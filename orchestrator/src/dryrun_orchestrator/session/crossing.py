"""Proves an overlay from inside, on every host that takes part: no way out, and the hosts reach each other.

An engine accepts an encrypted overlay that the kernel cannot encrypt, and silently drops what crosses hosts.
So a session is built only after a probe on each host had an answer from those on all others.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

from dryrun_contract.collector_config import VARIABLE
from dryrun_orchestrator.catalog.allowlist import ImageNotApprovedError
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import NotFoundError
from dryrun_orchestrator.engine.protocol import Container, ContainerSpec, Engine
from dryrun_orchestrator.session.container_specs import container_spec
from dryrun_orchestrator.session.isolation import (
    NO_TARGETS,
    ApprovedImages,
    Isolation,
    Targets,
    Verdict,
)
from dryrun_orchestrator.session.probe import (
    PROBE_SERVICE,
    ProbeReport,
    create_probe,
    probes_of,
    read_probe,
    remove_probe,
)
from dryrun_orchestrator.session.subnets import probe_address
from dryrun_orchestrator.session.trace import Trace
from dryrun_orchestrator.settings import Settings

PROOF_SECONDS: Final = 30.0
"""Time for all hosts together: an engine meets an overlay for the first time."""


class CrossingIsolation:
    """The proof of a session's overlay. It has the methods of `Isolation` that sessions use."""

    def __init__(
        self,
        hosts: Mapping[str, tuple[Engine, Isolation]],
        images: ApprovedImages,
        settings: Settings,
        tell: Callable[[Verdict], None] = lambda _: None,
    ) -> None:
        """Take the hosts that take part, by name; `tell` gets each verdict, and what refutes one."""
        self._hosts = hosts
        self._images = images
        self._settings = settings
        self._tell = tell
        self._stands = True
        """Whether the last verdict was not that it failed: a probe that failed does not end well either."""

    @property
    def is_recent(self) -> bool:
        """Return whether this process proved it lately on every host."""
        return all(isolation.is_recent for _, isolation in self._hosts.values())

    @property
    def lost(self) -> Verdict | None:
        """Return why no session may continue on one of the hosts; None while all are isolated."""
        for host, (_, isolation) in self._hosts.items():
            if (lost := isolation.lost) is not None:
                return replace(lost, detail=f"host {host}: {lost.detail}")
        return None

    async def probe(
        self,
        session_id: UUID,
        subnet: str,
        common: Mapping[str, str],
        trace: Trace | None = None,
        *,
        targets: Targets = NO_TARGETS,
    ) -> Verdict:
        """Run a probe on each host at once and return their verdict. Raises EngineError.

        Each stays until `put_away`, because it answers those of the other hosts. Each asks the targets on
        other hosts as well.
        """
        verdict = await self._probe(session_id, subnet, common, trace, targets)
        self._stands = verdict.isolated
        # A target that does not answer may have ended, which says nothing of the hosts; a way out does.
        if verdict.isolated or verdict.reached or not targets:
            self._tell(verdict)
        return verdict

    async def _probe(
        self, session_id: UUID, subnet: str, common: Mapping[str, str], trace: Trace | None, targets: Targets
    ) -> Verdict:
        try:
            image = self._images.image(self._settings.probe_image)
        except ImageNotApprovedError as error:
            return Verdict(isolated=False, detail=str(error), at=utc_now())
        if not self._hosts:
            return Verdict(isolated=False, detail="there is no host to prove it on", at=utc_now())
        addresses = {host: probe_address(subnet, number) for number, host in enumerate(self._hosts)}
        specs = {
            host: container_spec(
                session_id,
                common,
                image,
                service=PROBE_SERVICE,
                address=address,
                environment=_configuration(subnet, address, _others(host, addresses, targets)),
                alias=False,
            )
            for host, address in addresses.items()
        }
        try:
            with (trace or Trace()).span("probe"):
                async with asyncio.timeout(PROOF_SECONDS):
                    reports = await self._run(session_id, specs)
        except TimeoutError:
            detail = f"the probes on {', '.join(self._hosts)} did not end within {PROOF_SECONDS:.0f} s"
            return Verdict(isolated=False, detail=detail, at=utc_now(), undecided=True)
        failed = {host: report for host, report in reports.items() if not report.isolated}
        said = "; ".join(f"{host}: {report.reason}" for host, report in (failed or reports).items())
        return Verdict(
            isolated=not failed,
            detail=said,
            at=utc_now(),
            undecided=all(report.undecided for report in failed.values()) and bool(failed),
            reached=any(report.reached for report in failed.values()),
        )

    async def refuted(self, session_id: UUID) -> Verdict | None:
        """Return a verdict instead of the probes' if one did not end as it reported."""
        for host, (engine, _) in self._hosts.items():
            for container in await probes_of(engine, session_id):
                if (refuted := await self._refuted(host, engine, container)) is not None:
                    return refuted
        return None

    async def put_away(self, session_id: UUID) -> Verdict | None:
        """Remove the probes. Return a verdict instead of theirs if one did not end as it reported."""
        for host, (engine, _) in self._hosts.items():
            for container in await probes_of(engine, session_id):
                if (refuted := await self._refuted(host, engine, container)) is not None:
                    return refuted
                await remove_probe(engine, container.id)
        return None

    async def _refuted(self, host: str, engine: Engine, container: Container) -> Verdict | None:
        try:
            detail = await engine.inspect_container(container.id)
        except NotFoundError:
            return None
        if detail.exit_code in (None, 0):
            return None
        what = f"host {host}: the probe reported success and ended with {detail.exit_code}"
        refuted = Verdict(isolated=False, detail=what, at=utc_now())
        if self._stands:
            self._tell(refuted)
        return refuted

    async def _run(self, session_id: UUID, specs: Mapping[str, ContainerSpec]) -> dict[str, ProbeReport]:
        async with asyncio.TaskGroup() as group:
            running = {
                host: group.create_task(self._run_on(host, session_id, spec)) for host, spec in specs.items()
            }
        return {host: task.result() for host, task in running.items()}

    async def _run_on(self, host: str, session_id: UUID, spec: ContainerSpec) -> ProbeReport:
        engine, _ = self._hosts[host]
        # Of an earlier attempt. Names are an engine's own: the probes of all hosts have the same.
        for earlier in await probes_of(engine, session_id):
            await remove_probe(engine, earlier.id)
        # Where the answer of an earlier create was lost, it may land after this look.
        container = await create_probe(engine, session_id, spec)
        await engine.start_container(container)
        return await read_probe(engine, container)


def _others(host: str, probes: Mapping[str, str], targets: Targets) -> list[str]:
    """Return the addresses that have to answer a probe on `host`."""
    asked = [address for other, address in probes.items() if other != host]
    return asked + [each for other, addresses in targets.items() if other != host for each in addresses]


def _configuration(subnet: str, own: str, peers: list[str]) -> dict[str, str]:
    return {VARIABLE: json.dumps({"version": 1, "cidr": subnet, "self": own, "peers": peers})}
