"""A collector that waits for what another finds."""

import json

from stage import DATABASE, hosts


class Waiter:
    """What a collector that waits for its input does, and what it got."""

    def __init__(self):
        self.lines = []

    async def __call__(self, container):
        config = json.loads(container.spec.environment["DISCOVERY_CONFIG"])
        self.lines.append(await container.line() if config.get("awaits_discoveries") else None)
        for chunk in hosts():
            container.say(chunk.data)
        return 0


async def stood_by(stage):
    """Wait until the second collector runs and its input was tried."""

    def found():
        return [each for each in stage.of_image(DATABASE) if each.is_running and each.input]

    (container,) = await stage.eventually(found)
    return container
