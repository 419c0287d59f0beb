"""Phase `provisioning`: creates the network, proves its isolation, and creates every target, not started.

Each step finds what an earlier attempt created and continues from there.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from dryrun_contract.event import AddressesMapped, EventData, NetworkCreated
from dryrun_orchestrator import labels
from dryrun_orchestrator.catalog.allowlist import who_builds
from dryrun_orchestrator.catalog.template import LoadedService, LoadedTemplate
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import (
    ConflictError,
    EngineDownError,
    EngineUnreachableError,
    GuardDownError,
    ImageMissingError,
    ImageNotAllowedError,
    SubnetTakenError,
    TransientEngineError,
)
from dryrun_orchestrator.engine.protocol import Container, Network
from dryrun_orchestrator.journal.records import SessionRecord, TargetRecord
from dryrun_orchestrator.session.container_specs import TARGET_LIMITS, container_spec, network_spec
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.proof import prove_isolation
from dryrun_orchestrator.session.removal import LeftoverError, remove_everything
from dryrun_orchestrator.session.subnets import SubnetPoolExhaustedError, candidate_subnets, target_addresses


async def provision(context: SessionContext) -> Sequence[EventData]:
    """Create network and targets; return the proof of isolation. Raises SessionFailedError.

    A network that was prepared is there already, and proved.
    """
    trace = context.trace
    trace.begin((await context.record()).created_at, utc_now())
    known = context.preflight.is_recent
    with trace.span("checks"):
        await wait_for_engine(context)
        if not known:
            # A proxy that refuses a call must be detected while there is nothing to leave behind.
            await context.preflight.check()
    async with asyncio.TaskGroup() as group:
        if known:
            group.create_task(context.preflight.check())
        with trace.span("network"):
            record = await make_network(context)
        # A process trusts no other's proof: after a crash the host may have started without its rule.
        is_known = record.is_proved and context.isolation.is_recent
        proof = None if is_known else group.create_task(prove_isolation(context, record))
        group.create_task(create_targets(context, record))
    # Of a prepared network the proof was reported when it was claimed.
    return () if proof is None or record.is_proved else (proof.result(),)


async def wait_for_engine(context: SessionContext) -> None:
    """Return when the engine answers. Raises SessionFailedError after `engine_wait_seconds`."""
    pause = 0.2
    seconds = context.settings.engine_wait_seconds
    last = EngineUnreachableError(f"no answer within {seconds:g} s")
    try:
        async with asyncio.timeout(seconds) as deadline:
            while True:
                try:
                    await context.engine.ping()
                except EngineUnreachableError as error:
                    last = error
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 2.0)
                else:
                    deadline.reschedule(None)
                    return
    except TimeoutError:
        raise SessionFailedError(_who_is_silent(last)) from None


def _who_is_silent(error: EngineUnreachableError) -> str:
    """Return which of engine and guard does not answer, as far as that is known, and how to start it."""
    doctor = "`dryrun-local doctor` says how"
    guard = "`docker compose up -d` in a deployment, `make up` or `dryrun-local up` elsewhere"
    if isinstance(error, EngineDownError):
        return f"the Docker Engine does not answer ({error}); start it, {doctor}"
    if isinstance(error, GuardDownError):
        return f"the guard before the Docker Engine does not answer ({error}); start it: {guard}"
    return (
        f"the Docker Engine, or the guard before it, does not answer ({error}); start the engine, {doctor}, "
        f"or the guard: {guard}"
    )


async def make_network(context: SessionContext) -> SessionRecord:
    """Create the session's network, or adopt the one that an earlier attempt created.

    What an orchestrator whose journal is lost created for this session is removed first, so that the network
    holds containers of one owner. Its deadline is kept: nothing prolongs the deadline of an id.
    """
    record = await context.record()
    if record.network_id is not None:
        return record
    label = f"{labels.SESSION_ID}={context.id}"
    networks, containers = await asyncio.gather(
        context.engine.list_networks(label), context.engine.list_containers(label)
    )
    held = [*(network.labels for network in networks), *(container.labels for container in containers)]
    if others := [each for each in held if each.get(labels.OWNER) != str(context.journal.id)]:
        await _clear_of_others(context, record, labels.parse_rfc3339(others[0][labels.EXPIRES_AT]))
    elif networks:
        return await _adopt(context, networks[0])
    return await _create_network(context)


async def _adopt(context: SessionContext, network: Network) -> SessionRecord:
    """Record a network that an earlier attempt created as the session's own."""
    expires_at = labels.parse_rfc3339(network.labels[labels.EXPIRES_AT])
    return await _remember_network(context, network.id, str(network.subnet), expires_at)


async def _clear_of_others(context: SessionContext, record: SessionRecord, expires_at: datetime) -> None:
    """Remove what an orchestrator with another journal created for this session, and keep its deadline."""
    # An earlier attempt that removed a part of it has stored the deadline.
    if record.expires_at is None:
        await context.journal.update_session(context.id, expires_at=expires_at)
    try:
        await remove_everything(context.engine, f"{labels.SESSION_ID}={context.id}")
    except LeftoverError as error:
        raise TransientEngineError(f"what a lost journal left of this session: {error}") from error


async def _create_network(context: SessionContext) -> SessionRecord:
    settings = context.settings
    # Computed before the first call, so that it is never later than 30 minutes after the network's creation;
    # and the same in each call, because a guard may remember it of a network that did not come about.
    # Nothing prolongs the deadline of an id, not even the loss of its first network.
    deadline = (await context.record()).expires_at
    expires_at = deadline or utc_now().replace(microsecond=0) + settings.session_duration
    taken = [record.subnet for record in await context.journal.unfinished() if _holds_subnet(record)]
    tried = 0
    pool, prefix, spaced = settings.subnet_pool, settings.subnet_prefix, context.placement is not None
    for subnet in candidate_subnets(pool, prefix, filter(None, taken), spaced=spaced):
        tried += 1
        # Stored first: two sessions that start together do not try the same subnet.
        await context.journal.update_session(context.id, subnet=subnet, expires_at=expires_at)
        spec = network_spec(context.id, subnet, context.labels(expires_at))
        try:
            network_id = await context.engine.create_network(spec)
        except SubnetTakenError:
            continue
        except ConflictError as error:
            raise SessionFailedError(
                f"a network named {spec.name} exists and does not carry this session's label ({error}); "
                "it is not ours to remove"
            ) from error
        return await _remember_network(context, network_id, subnet, expires_at)
    await context.journal.update_session(context.id, subnet=None, expires_at=None)
    raise SessionFailedError(
        str(SubnetPoolExhaustedError(settings.subnet_pool, settings.subnet_prefix, tried))
    )


def _holds_subnet(record: SessionRecord) -> bool:
    return record.subnet is not None and (record.ended_at is None or record.held_overlay is not None)


async def _remember_network(
    context: SessionContext, network_id: str, subnet: str, expires_at: datetime
) -> SessionRecord:
    seed = (await context.record()).seed
    return await context.journal.update_session(
        context.id,
        NetworkCreated(name=labels.network_name(context.id), subnet=subnet, expires_at=expires_at),
        addresses_mapped(context.template, subnet, seed),
        network_id=network_id,
        subnet=subnet,
        expires_at=expires_at,
    )


def addresses_mapped(template: LoadedTemplate, subnet: str, seed: int) -> AddressesMapped:
    """Return the event that says which service has which address."""
    addresses = target_addresses(subnet, [service.name for service in template.services], seed)
    return AddressesMapped(addresses={address: service for service, address in addresses.items()})


async def create_targets(context: SessionContext, record: SessionRecord) -> None:
    """Create every missing target; start none."""
    assert record.subnet is not None
    assert record.expires_at is not None
    known = await context.journal.targets(context.id)
    present = await _containers_by_service(context)
    addresses = target_addresses(
        record.subnet, [service.name for service in context.template.services], record.seed
    )
    common = context.labels(record.expires_at)
    async with asyncio.TaskGroup() as group:
        for service in context.template.services:
            if service.name not in known:
                group.create_task(_create_target(context, service, addresses[service.name], common, present))


async def _containers_by_service(context: SessionContext) -> dict[str, Container]:
    listed = await context.engine.list_containers(f"{labels.SESSION_ID}={context.id}")
    return {
        container.labels[labels.SERVICE]: container
        for container in listed
        if container.labels.get(labels.ROLE) == "target"
    }


async def _create_target(
    context: SessionContext,
    service: LoadedService,
    address: str,
    common: Mapping[str, str],
    present: Mapping[str, Container],
) -> None:
    spec = container_spec(
        context.id,
        common,
        service.image,
        service=service.name,
        address=address,
        environment=service.environment,
        limits=TARGET_LIMITS,
    )
    container = present.get(service.name)
    if container is not None:
        container_id = container.id
    else:
        async with context.starts:
            try:
                with context.trace.span("create", service.name):
                    container_id = await context.engine.create_container(spec)
            except ImageMissingError as error:
                raise SessionFailedError(
                    f"the image {service.image.name} of service {service.name} is missing: {error}; "
                    f"{who_builds(service.image.name)}"
                ) from error
            except ImageNotAllowedError as error:
                raise SessionFailedError(
                    f"the guard's allowlist lacks the image {service.image.name} of service {service.name}: "
                    f"the template {context.template.id} was removed, or its images were built again, as "
                    "this session started. Start another one (`dryrun templates` lists what is installed); "
                    f"if that fails too, the guard's allowlist is older than the templates ({error})"
                ) from error
            except ConflictError:
                # The answer of an earlier create was lost; the name is the same in every attempt.
                again = (await _containers_by_service(context)).get(service.name)
                if again is None:
                    raise
                container_id = again.id
    target = TargetRecord(
        service=service.name,
        image=service.image.name,
        image_id=service.image.id,
        container_id=container_id,
        address=address,
        state="created",
    )
    await context.journal.put_target(context.id, target, target.changed())
