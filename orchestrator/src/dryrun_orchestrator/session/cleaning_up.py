"""Phase `cleaning_up`: everything that carries the session's id goes, by label and by nothing else."""

import asyncio
from datetime import timedelta

from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.protocol import (
    ConflictError,
    Container,
    Engine,
    EngineError,
    NotFoundError,
    TransientEngineError,
)

GRACE = timedelta(seconds=10)
IN_FLIGHT = 8


class LeftoverError(Exception):
    """Something of the session could not be removed; the text lists what and why. It is tried again."""


async def remove_everything(engine: Engine, label: str, *, grace: timedelta = GRACE) -> list[Container]:
    """Remove every container and network whose label `label` (`key=value`) matches exactly.

    Containers are asked to stop first, in parallel, for at most `grace`; networks go once they are empty.
    Returns the containers that were removed. Raises LeftoverError when anything is left.
    """
    containers = await engine.list_containers(label)
    places = asyncio.Semaphore(IN_FLIGHT)
    errors = await asyncio.gather(
        *(_remove_container(engine, container, grace, places) for container in containers)
    )
    networks = await engine.list_networks(label)
    errors += await asyncio.gather(*(_remove_network(engine, network.id) for network in networks))
    failed = [error for error in errors if error is not None]
    if failed:
        raise LeftoverError("; ".join(failed))
    # Seen to be gone, not believed: a create that was under way may have landed meanwhile.
    left = [container.name for container in await engine.list_containers(label)]
    left += [network.name for network in await engine.list_networks(label)]
    if left:
        raise LeftoverError(f"still there after removal: {', '.join(left)}")
    return containers


async def _remove_container(
    engine: Engine, container: Container, grace: timedelta, places: asyncio.Semaphore
) -> str | None:
    async with places:
        try:
            if grace and container.status == "running" and container.labels.get(labels.ROLE) == "target":
                await engine.stop_container(container.id, grace)
            await engine.remove_container(container.id)
        except NotFoundError:
            return None
        except EngineError as error:
            return f"container {container.name}: {error}"
    return None


async def _remove_network(engine: Engine, network_id: str) -> str | None:
    try:
        await remove_network_patiently(engine, network_id)
    except EngineError as error:
        return f"network {network_id[:12]}: {error}"
    return None


async def remove_network_patiently(engine: Engine, network_id: str) -> None:
    """Remove a network; a moment after its last container went it may still have active endpoints.

    Raises the last EngineError after about 5 s.
    """
    error: EngineError | None = None
    for pause in (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0):
        await asyncio.sleep(pause)
        try:
            await engine.remove_network(network_id)
        except NotFoundError:
            return
        except (ConflictError, TransientEngineError) as again:
            error = again
        else:
            return
    assert error is not None
    raise error
