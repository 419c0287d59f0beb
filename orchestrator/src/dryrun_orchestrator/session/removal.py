"""Removes everything with a session's label, and nothing else."""

import asyncio
from collections.abc import Iterable

from dryrun_orchestrator.engine.errors import (
    ConflictError,
    EngineError,
    InUseByTaskError,
    NotFoundError,
    TransientEngineError,
)
from dryrun_orchestrator.engine.protocol import Container, Engine, Network

IN_FLIGHT = 8


class LeftoverError(Exception):
    """Something could not be removed; the message lists what and why. Removal is retried."""


class OverlayHeldError(LeftoverError):
    """No host has a container of the session, and the swarm has a task on its overlay all the same.

    It keeps one for a container that went with its engine (moby#31068).
    """

    def __init__(self, overlay: str, why: str) -> None:
        super().__init__(why)
        self.overlay = overlay
        """Its name."""


async def remove_everything(engine: Engine, label: str) -> list[Container]:
    """Remove every container and network whose label `label` (`key=value`) matches exactly.

    Running containers are killed by their removal: what they hold is in memory and gone with them, and their
    logs were read before. Asking them to stop first took 1.6 times as long. Networks are removed once they
    are empty. Where a host of a fleet does not answer, the containers on the others are removed all the same,
    and its error is raised. Return the removed containers. Raises LeftoverError when anything is left,
    OverlayHeldError when that is nothing but an overlay that the swarm holds.
    """
    containers, networks = await asyncio.gather(
        engine.list_containers(label), engine.list_networks(label), return_exceptions=True
    )
    if isinstance(containers, BaseException):
        if isinstance(containers, EngineError):
            # A host that is away keeps nothing alive on the others.
            elsewhere = [each for on_host in containers.elsewhere.values() for each in on_host]
            for error in await _remove_containers(engine, elsewhere):
                containers.add_note(error)
        raise containers
    failed = await _remove_containers(engine, containers)
    # Only now: containers go at once, also while no manager of a fleet says what networks there are.
    if isinstance(networks, BaseException):
        for error in failed:
            networks.add_note(error)
        raise networks
    refusals = await asyncio.gather(*(_remove_network(engine, network.id) for network in networks))
    refused = [
        (network, error) for network, error in zip(networks, refusals, strict=True) if error is not None
    ]
    failed += [f"network {network.id[:12]}: {error}" for network, error in refused]
    held = {network.name for network, error in refused if isinstance(error, InUseByTaskError)}
    if len(failed) > len(held):
        raise LeftoverError("; ".join(failed))
    # Listed again: a create that was in progress may have completed meanwhile.
    new_containers, left_networks = await _listed(engine, label)
    left = [*(each.name for each in new_containers), *(each.name for each in left_networks)]
    if left and not new_containers and held.issuperset(left):
        raise OverlayHeldError(", ".join(left), "; ".join(failed))
    if left:
        raise LeftoverError(f"still there after removal: {', '.join(left)}")
    return containers


async def _listed(engine: Engine, label: str) -> tuple[list[Container], list[Network]]:
    return await asyncio.gather(engine.list_containers(label), engine.list_networks(label))


async def _remove_containers(engine: Engine, containers: Iterable[Container]) -> list[str]:
    """Remove containers; return why some could not be removed."""
    places = asyncio.Semaphore(IN_FLIGHT)
    errors = await asyncio.gather(*(_remove_container(engine, container, places) for container in containers))
    return [error for error in errors if error is not None]


async def _remove_container(engine: Engine, container: Container, places: asyncio.Semaphore) -> str | None:
    async with places:
        try:
            await engine.remove_container(container.id)
        except NotFoundError:
            return None
        except EngineError as error:
            return f"container {container.name}: {error}"
    return None


async def _remove_network(engine: Engine, network_id: str) -> EngineError | None:
    """Remove a network; return why not, after about 4 s where trying again may help.

    Just after its last container it may still have active endpoints.
    """
    error: EngineError | None = None
    for pause in (0.0, 0.02, 0.04, 0.08, 0.16, 0.3, 0.6, 1.2, 2.0):
        await asyncio.sleep(pause)
        try:
            await engine.remove_network(network_id)
        except NotFoundError:
            return None
        except (ConflictError, TransientEngineError) as again:
            error = again
        except EngineError as refused:
            return refused
        else:
            return None
    return error
