"""The proof that a session's network is isolated, and the end of the probe that gave it."""

from collections import defaultdict

from dryrun_contract.event import IsolationProbed
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.isolation import NO_TARGETS, Targets, Verdict
from dryrun_orchestrator.session.trace import Trace

_UNREACHED = "its hosts do not reach all of each other's targets; start it again: {}"
_DOUBT = "its hosts may not have reached each other while it was scanned; run it again: {}"


class NotReachedError(SessionFailedError):
    """Hosts of the session, or their targets, did not answer each other."""


async def prove_isolation(context: SessionContext, record: SessionRecord) -> IsolationProbed:
    """Probe the network from inside. Raises SessionFailedError unless the host provably does not answer."""
    assert record.subnet is not None
    assert record.expires_at is not None
    common = context.labels(record.expires_at)
    verdict = await context.isolation.probe(context.id, record.subnet, common, context.trace)
    if not verdict.isolated:
        await _fail(context, verdict)
    return IsolationProbed(isolated=True, detail=verdict.detail)


async def confirm_proof(context: SessionContext) -> None:
    """Raise SessionFailedError when the probe ended otherwise than it reported."""
    if (refuted := await context.isolation.refuted(context.id)) is not None:
        await _fail(context, refuted)


async def put_probe_away(context: SessionContext) -> None:
    """Remove the probe. Raises SessionFailedError when it ended otherwise than it reported."""
    with context.trace.span("probe_removal"):
        refuted = await context.isolation.put_away(context.id)
    if refuted is not None:
        await _fail(context, refuted)


async def prove_reach(context: SessionContext) -> None:
    """Probe, before the scan, whether the session's hosts reach each target on another one.

    Raises NotReachedError when one does not answer. The other engines forget one that hung for a moment,
    with the addresses of its containers, until they next exchange all they know. A new probe is announced to
    every engine, so its own answers prove nothing about targets created before it.
    """
    placement = context.placement
    if placement is None or not placement.is_spread:
        return
    targets: defaultdict[str, list[str]] = defaultdict(list)
    for target in (await context.journal.targets(context.id)).values():
        targets[placement.services[target.service]].append(target.address)
    await _cross(context, _UNREACHED, context.trace, targets)


async def prove_crossing_again(context: SessionContext) -> None:
    """Probe again, after the scan, whether the session's hosts reach each other.

    Raises SessionFailedError when they may not have: targets behind a broken network would count as missed.
    While an engine hangs, its containers reach no other host, and it may have recovered before this probe:
    so it is enough that a host was silent meanwhile.
    """
    if context.placement is None or not context.placement.is_spread:
        return
    if (silent := context.silent_host(context.scan_began)) is not None:
        raise SessionFailedError(_DOUBT.format(silent))
    await _cross(context, _DOUBT, Trace())
    # A silence that began late was over only when the probe had its answers.
    if (silent := context.silent_host(context.scan_began)) is not None:
        raise SessionFailedError(_DOUBT.format(silent))


async def _cross(context: SessionContext, doubt: str, trace: Trace, targets: Targets = NO_TARGETS) -> None:
    """Probe on every host of the session.

    Raises NotReachedError with `doubt`, or SessionFailedError when a host answers.
    """
    record = await context.record()
    assert record.expires_at is not None
    common = context.labels(record.expires_at)
    verdict = await context.isolation.probe(context.id, str(record.subnet), common, trace, targets=targets)
    with trace.span("probe_removal"):
        refuted = await context.isolation.put_away(context.id)
    if verdict.reached:
        await _fail(context, verdict)
    # A probe that failed did not end well either: its own words come first.
    if (doubted := refuted if verdict.isolated else verdict) is not None:
        raise NotReachedError(doubt.format(doubted.detail))


async def _fail(context: SessionContext, verdict: Verdict) -> None:
    await context.journal.append(context.id, IsolationProbed(isolated=False, detail=verdict.detail))
    # A probe that broke off, as one does whose engine was killed, says nothing of the host.
    what = "is not" if verdict.reached else "is not known to be"
    raise SessionFailedError(f"the network {what} isolated from the host: {verdict.detail}")
