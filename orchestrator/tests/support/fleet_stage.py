"""What tests of a fleet in memory do to its hosts, and find there."""

from stage import NETWORK, NETWORK_OUTPUT

from dryrun_orchestrator import labels

from engine_in_memory.engine import FakeImage  # isort: skip


def resize(stage, **rooms):
    stage.fleet = {name: (engine, *rooms.get(name, (60, 4))) for name, (engine, _, _) in stage.fleet.items()}


def scan_until(stage, over):
    """Have scans go on until the event `over`."""

    async def program(container):
        for chunk in NETWORK_OUTPUT:
            container.say(chunk.data)
        await over.wait()
        return 0

    for engine, _, _ in stage.fleet.values():
        engine.images[NETWORK] = FakeImage(program=program)


def left(stage, session_id):
    label = f"{labels.SESSION_ID}={session_id}"
    things = [each for each in stage.swarm.overlays.values() if labels.SESSION_ID in each.spec.labels]
    for engine, _, _ in stage.fleet.values():
        things += [*engine.networks.values(), *engine.containers.values()]
    return [each for each in things if each.spec.labels.get(labels.SESSION_ID) == label.partition("=")[2]]
