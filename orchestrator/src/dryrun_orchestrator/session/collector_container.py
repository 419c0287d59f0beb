"""A collector's container: its configuration, and how it is created, found and removed."""

from dryrun_contract.collector_config import CollectorConfig, to_environment
from dryrun_contract.discovery import Discovery
from dryrun_orchestrator import labels
from dryrun_orchestrator.catalog.arguments import fill_in
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.engine.errors import (
    ConflictError,
    ImageMissingError,
    ImageNotAllowedError,
    NotFoundError,
)
from dryrun_orchestrator.engine.protocol import Limits
from dryrun_orchestrator.session.container_specs import container_spec
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.subnets import collector_address, probe_address

COLLECTORS_AT_ONCE = 2
LOG_FACTOR = 8
"""A collector's log file may be this many times its output limit: JSON, escapes, a flood's head start."""


async def create_container(
    context: SessionContext, manifest: CollectorManifest, slot: int, *, stands_by: bool = False
) -> str:
    """Create the collector's container and return its id.

    One that `stands_by` is handed what earlier collectors found on its standard input. Raises ConfigError
    when that is more than its configuration can hold, SessionFailedError without its image, or where
    no session may start it any more.
    """
    record = await context.record()
    assert record.expires_at is not None
    subnet = str(record.subnet)
    environment: dict[str, str] = {}
    if not manifest.arguments:
        config = await configuration(context, manifest, slot)
        if stands_by:
            config = config.model_copy(update={"awaits_discoveries": True})
        else:
            found = await discoveries_for(context, manifest)
            config = config.model_copy(update={"discoveries": found})
        environment = to_environment(config)
    spec = container_spec(
        context.id,
        context.labels(record.expires_at),
        manifest.image,
        service=manifest.name,
        address=collector_address(subnet, slot),
        environment=environment,
        limits=Limits(log_bytes=LOG_FACTOR * context.settings.output_bytes),
        alias=False,
        arguments=_arguments(manifest, subnet, slot),
        capabilities=manifest.capabilities,
        stdin=stands_by,
    )
    try:
        return await context.engine.create_container(spec)
    except ImageMissingError as error:
        raise SessionFailedError(
            f"the image {manifest.image.name} of collector {manifest.name} is missing: {error}; "
            "`dryrun-local images build` builds it"
        ) from error
    except ImageNotAllowedError as error:
        raise SessionFailedError(
            f"the guard's allowlist lacks the image {manifest.image.name} of collector {manifest.name}: it "
            "was removed, or built again, while this session ran. Start another one; if that fails too, "
            f"`dryrun-local images build` builds it and puts it into the allowlist ({error})"
        ) from error
    except ConflictError:
        again = await container_of(context, manifest)
        if again is None:
            raise
        return again


async def container_of(context: SessionContext, manifest: CollectorManifest) -> str | None:
    """Return the id of the collector's container in any state, None if there is none."""
    for container in await context.engine.list_containers(f"{labels.SESSION_ID}={context.id}"):
        if (
            container.labels.get(labels.ROLE) == "collector"
            and container.labels.get(labels.SERVICE) == manifest.name
        ):
            return container.id
    return None


async def remove_container_of(context: SessionContext, manifest: CollectorManifest) -> None:
    """Remove the collector's container, if there is one."""
    container_id = await container_of(context, manifest)
    if container_id is None:
        return
    try:
        await context.engine.remove_container(container_id)
    except NotFoundError:
        return


def _arguments(manifest: CollectorManifest, subnet: str, slot: int) -> tuple[str, ...]:
    no_targets = [collector_address(subnet, each) for each in range(COLLECTORS_AT_ONCE)]
    return fill_in(
        manifest.arguments,
        cidr=subnet,
        own=collector_address(subnet, slot),
        exclude=[*no_targets, probe_address(subnet)],
        rate=manifest.max_rate,
    )


async def configuration(context: SessionContext, manifest: CollectorManifest, slot: int) -> CollectorConfig:
    """Return the configuration of a collector in this slot, without what earlier ones found."""
    subnet = str((await context.record()).subnet)
    targets = await context.journal.targets(context.id)
    addresses = {name: target.address for name, target in targets.items()}
    others = [collector_address(subnet, other) for other in range(COLLECTORS_AT_ONCE) if other != slot]
    return CollectorConfig(
        cidr=subnet,
        self=collector_address(subnet, slot),
        exclude=tuple(others),
        profile=manifest.profile,
        max_rate=manifest.max_rate,
        # Only what it can use: a port scanner needs no passwords.
        # A template's own may be seen by any of its targets, unless it says by which.
        credentials=tuple(
            login.shown_at(addresses, subnet)
            for login in context.template.credentials
            if login.engine in manifest.credentials
        ),
    )


async def discoveries_for(context: SessionContext, manifest: CollectorManifest) -> tuple[Discovery, ...]:
    """Return what earlier collectors found of the kinds that this one needs. Raises ConfigError."""
    providers = frozenset(other.name for other in context.template.collectors if manifest.waits_for(other))
    return await context.journal.events.found(context.id, manifest.needs, providers)
