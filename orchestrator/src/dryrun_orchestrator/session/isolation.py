"""Proves from inside a new network that the host does not answer there. Without proof no session continues.

A session's network is probed while nothing else runs in it: beside other containers neither silence nor an
answer proves anything. While sessions run, a separate network is probed in their place: the same engine makes
it by the same call, and the host rule treats all session bridges alike.
"""

import asyncio
import logging
import math
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Protocol
from uuid import UUID, uuid4

from dryrun_contract.collector_config import CollectorConfig, to_environment
from dryrun_orchestrator import labels
from dryrun_orchestrator.catalog.allowlist import AllowedImage, ImageNotApprovedError
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import NotFoundError, SubnetTakenError
from dryrun_orchestrator.engine.protocol import Container, Engine
from dryrun_orchestrator.session.container_specs import container_spec, network_spec, session_labels
from dryrun_orchestrator.session.probe import (
    PROBE_SERVICE,
    create_probe,
    probes_of,
    read_probe,
    remove_probe,
)
from dryrun_orchestrator.session.removal import remove_everything
from dryrun_orchestrator.session.subnets import SubnetPoolExhaustedError, candidate_subnets, probe_address
from dryrun_orchestrator.session.trace import Trace
from dryrun_orchestrator.settings import Settings

log = logging.getLogger(__name__)

PROBE_DEADLINE = timedelta(seconds=20)
PROBES = 5
"""Most attempts when a probe is undecided. On a busy machine it may start after the bridge announced itself,
and after a crash it finds a bridge that announced itself to the earlier process."""
CARRIER_SECONDS = 1.2
"""After this long without a container the bridge is down (Linux checks once a second); the next container
brings it up, and it announces itself again."""
PROOF_SECONDS = 300.0
"""No session continues with an older proof, whatever prevents a new one."""
FIX = (
    "install the host rule (deploy/host-rule/dryrun-host-rule install), "
    "see docs/adr/0007-a-host-rule-shuts-session-bridges.md on why sessions are refused without it"
)


type Targets = Mapping[str, Collection[str]]
"""Host → addresses of the targets there."""
NO_TARGETS: Final[Targets] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a probe. `isolated` is False also when the probe could not decide: it fails closed."""

    isolated: bool
    detail: str
    at: datetime
    undecided: bool = False
    """The probe heard too little to decide."""
    reached: bool = False
    """The host answered."""


class ApprovedImages(Protocol):
    """Finds images in the allowlist as it is now."""

    def image(self, name: str) -> AllowedImage:
        """Return the image with exactly this name. Raises ImageNotApprovedError."""
        ...


class Isolation:
    """Runs the probe and keeps its last verdict, for readiness and metrics."""

    def __init__(self, engine: Engine, allowlist: ApprovedImages, settings: Settings, owner: UUID) -> None:
        self._engine = engine
        self._allowlist = allowlist
        self._settings = settings
        self._owner = owner
        self.last: Verdict | None = None
        self._lost: Verdict | None = None
        self._judged_at = -math.inf
        self._proved_at = time.monotonic()
        """Proofs of an earlier process count as of this process's start."""
        self._breaks = 0
        """How often the engine broke off: a verdict says nothing about what starts after that."""
        self._judged_after = 0
        """How often when the probe of the last verdict began."""
        self.probe_started_at: datetime | None = None
        """When the last probe of `check_host` had started, by the engine's clock."""
        self.checking: UUID | None = None
        """The session id that `check_host` is using; the reaper leaves it alone."""

    async def probe(
        self,
        session_id: UUID,
        subnet: str,
        common: Mapping[str, str],
        trace: Trace | None = None,
        *,
        targets: Targets = NO_TARGETS,  # noqa: ARG002 - nothing crosses
    ) -> Verdict:
        """Run the probe in a session's network and return its verdict.

        The container of a verdict "isolated" is left for `put_away`: the engine takes 0.1 s to dismantle one.
        Raises TransientEngineError when the engine does not answer, and other EngineErrors when it refuses a
        call. Whatever the probe cannot find out is the verdict "not isolated".
        """
        trace = trace or Trace()
        breaks = self._breaks
        for left in reversed(range(PROBES)):
            verdict = await self._probe_once(session_id, subnet, common, trace)
            if not verdict.undecided or not left:
                break
            log.warning("session %s: isolation: %s; probing again", session_id, verdict.detail)
            await asyncio.sleep(CARRIER_SECONDS)
        self._remember(verdict)
        self._judged_after = breaks
        return verdict

    def doubt(self) -> None:
        """Rely on no verdict whose probe began before now: the engine broke off, and may start anew."""
        self._breaks += 1

    @property
    def is_doubted(self) -> bool:
        """Return whether the engine broke off since the probe of the last verdict began."""
        return self._judged_after != self._breaks

    @property
    def seconds_since_verdict(self) -> float:
        """Return the age of the last verdict; infinite when there is none."""
        return time.monotonic() - self._judged_at

    @property
    def is_recent(self) -> bool:
        """Return whether this process proved it within two periods of the check."""
        proved = self.last is not None and self.last.isolated
        is_old = self.seconds_since_verdict > 2 * self._settings.isolation_seconds
        return proved and not self.is_doubted and not is_old

    @property
    def lost(self) -> Verdict | None:
        """Return why no session may continue; None while isolation is proved."""
        if self._lost is None and time.monotonic() - self._proved_at > PROOF_SECONDS:
            return self._verdict(
                isolated=False, detail=f"it could not be proved for {PROOF_SECONDS:.0f} s; see readyz"
            )
        return self._lost

    def _remember(self, verdict: Verdict) -> None:
        """Keep a verdict. One undecided verdict ends no session; the second in a row does."""
        earlier, self.last, self._judged_at = self.last, verdict, time.monotonic()
        if verdict.isolated:
            self._lost, self._proved_at = None, self._judged_at
        elif verdict.reached or (earlier is not None and not earlier.isolated):
            self._lost = verdict

    async def _probe_once(
        self, session_id: UUID, subnet: str, common: Mapping[str, str], trace: Trace
    ) -> Verdict:
        try:
            image = self._allowlist.image(self._settings.probe_image)
        except ImageNotApprovedError as error:
            return self._verdict(isolated=False, detail=str(error))
        address = probe_address(subnet)
        environment = to_environment(CollectorConfig(cidr=subnet, self=address))
        spec = container_spec(
            session_id,
            common,
            image,
            service=PROBE_SERVICE,
            address=address,
            environment=environment,
            alias=False,
        )
        container = await create_probe(self._engine, session_id, spec)
        isolated = False
        try:
            async with asyncio.timeout(PROBE_DEADLINE.total_seconds()):
                with trace.span("probe_start"):
                    await self._engine.start_container(container)
                with trace.span("probe"):
                    report = await read_probe(self._engine, container)
            isolated = report.isolated
        except TimeoutError:
            seconds = PROBE_DEADLINE.total_seconds()
            return self._verdict(isolated=False, detail=f"the isolation probe did not end within {seconds} s")
        finally:
            if not isolated:
                await remove_probe(self._engine, container)
        detail = report.reason if isolated else f"{report.reason}; {FIX}"
        return self._verdict(
            isolated=isolated, detail=detail, undecided=report.undecided, reached=report.reached
        )

    async def refuted(self, session_id: UUID) -> Verdict | None:
        """Return another verdict if the session's probe did not end as it reported. Raises EngineError.

        A probe that is refuted stays until all of the session goes: whatever breaks off here, the next
        attempt finds it again.
        """
        return await self._refuted(session_id, await probes_of(self._engine, session_id))

    async def put_away(self, session_id: UUID) -> Verdict | None:
        """Remove the session's probe. Return another verdict if it did not end as it reported.

        Idempotent: without a probe there is nothing to do. Raises EngineError.
        """
        probes = await probes_of(self._engine, session_id)
        if (verdict := await self._refuted(session_id, probes)) is not None:
            return verdict
        for container in probes:
            await remove_probe(self._engine, container.id)
        return None

    async def _refuted(self, session_id: UUID, probes: Sequence[Container]) -> Verdict | None:
        for container in probes:
            try:
                exit_code = await self._exit_code(session_id, container.id)
            except NotFoundError:
                continue
            if exit_code != 0:
                detail = f"the isolation probe reported success and ended with exit code {exit_code}"
                verdict = self._verdict(isolated=False, detail=detail)
                self._remember(verdict)
                return verdict
        return None

    async def _exit_code(self, session_id: UUID, container: str) -> int | None:
        """Return the engine's word on how it ended; None if it does not end in time."""
        try:
            async with asyncio.timeout(PROBE_DEADLINE.total_seconds()):
                async with aclosing(self._engine.read_log(container, follow=True)) as log:
                    async for _ in log:
                        pass
                detail = await self._engine.inspect_container(container)
                if session_id == self.checking:
                    self.probe_started_at = detail.started_at
                return detail.exit_code
        except TimeoutError:
            return None

    async def check_host(self) -> Verdict:
        """Probe in a network made for this and removed afterwards, outside of any session.

        Raises EngineError, SubnetPoolExhaustedError, and LeftoverError when something could not be removed.
        """
        session_id = self.checking = uuid4()
        self.probe_started_at = None
        common = session_labels(session_id, self._owner, "isolation-check", utc_now() + timedelta(minutes=5))
        try:
            subnet = await self._make_network(session_id, common)
            verdict = await self.probe(session_id, subnet, common)
            return await self.put_away(session_id) or verdict
        finally:
            # By label: cancelled while a network was being made, nobody here knows its id.
            removal = asyncio.create_task(
                remove_everything(self._engine, f"{labels.SESSION_ID}={session_id}")
            )
            try:
                await asyncio.shield(removal)
            except asyncio.CancelledError:
                await removal
                raise
            finally:
                self.checking = None

    async def _make_network(self, session_id: UUID, common: Mapping[str, str]) -> str:
        # From the end of the pool: sessions take subnets from its beginning.
        pool, prefix = self._settings.subnet_pool, self._settings.subnet_prefix
        tried = 0
        for subnet in candidate_subnets(pool, prefix, (), last_first=True):
            tried += 1
            try:
                await self._engine.create_network(network_spec(session_id, subnet, common))
            except SubnetTakenError:
                continue
            return subnet
        raise SubnetPoolExhaustedError(pool, prefix, tried)

    def _verdict(
        self, *, isolated: bool, detail: str, undecided: bool = False, reached: bool = False
    ) -> Verdict:
        return Verdict(isolated, detail, utc_now(), undecided, reached)
