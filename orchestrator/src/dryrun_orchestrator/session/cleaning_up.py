"""Phase `cleaning_up`: removes everything with the session's label, and nothing else."""

import asyncio

from dryrun_orchestrator.engine.protocol import (
    ConflictError,
    Container,
    Engine,
    EngineError,
    Network,
    NotFoundError,
    TransientEngineError,
)

IN_FLIGHT = 8


class LeftoverError(Exception):
    """Something could not be removed; the message lists what and why. Removal is retried."""


async def remove_everything(engine: Engine, label: str) -> list[Container]:
    """Remove every container and network whose label `label` (`key=value`) matches exactly.

    Running containers are killed by their removal: what they hold is in memory and gone with them, and their
    logs were read before. Asking them to stop first took 1.6 times as long. Networks are removed once they
    are empty. Return the removed containers. Raises LeftoverError when anything is left.
    """
    containers, networks = await asyncio.gather(
        engine.list_containers(label), engine.list_networks(label), return_exceptions=True
    )
    if isinstance(containers, BaseException):
        raise containers
    places = asyncio.Semaphore(IN_FLIGHT)
    errors = await asyncio.gather(*(_remove_container(engine, container, places) for container in containers))
    # Only now: containers go at once, also while no manager of a fleet says what networks there are.
    if isinstance(networks, BaseException):
        for error in filter(None, errors):
            networks.add_note(error)
        raise networks
    errors += await asyncio.gather(*(_remove_network(engine, network.id) for network in networks))
    failed = [error for error in errors if error is not None]
    if failed:
        raise LeftoverError("; ".join(failed))
    # Listed again: a create that was in progress may have completed meanwhile.
    left = [each.name for found in await _listed(engine, label) for each in found]
    if left:
        raise LeftoverError(f"still there after removal: {', '.join(left)}")
    return containers


async def _listed(engine: Engine, label: str) -> tuple[list[Container], list[Network]]:
    return await asyncio.gather(engine.list_containers(label), engine.list_networks(label))


async def _remove_container(engine: Engine, container: Container, places: asyncio.Semaphore) -> str | None:
    async with places:
        try:
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
    """Remove a network, with retries: just after its last container it may still have active endpoints.

    Raises the last EngineError after about 4 s.
    """
    error: EngineError | None = None
    for pause in (0.0, 0.02, 0.04, 0.08, 0.16, 0.3, 0.6, 1.2, 2.0):
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
