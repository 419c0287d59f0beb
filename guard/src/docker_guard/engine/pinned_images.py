"""What the engine holds under an image that the allowlist pins: that image, or none."""

from collections.abc import Mapping
from typing import Any

from docker_guard.engine.client import Engine
from docker_guard.refusal import Refusal, shown
from docker_guard.rules.allowlist import AllowedImage, faults_of_image
from docker_guard.rules.policy import Policy


class PinnedImages:
    """The configurations of pinned images; one that was read once is remembered by the image's ID."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self._engine = engine
        self._policy = policy
        self._configs: dict[str, Mapping[str, Any]] = {}

    async def config(self, image: AllowedImage, named_by: str) -> Mapping[str, Any]:
        """Return an image's configuration. Raises Refusal if it is not the pinned one, or may not run.

        `named_by`: the client's reference to it, its ID or a name, which is resolved each time.
        """
        identity = image.row.id
        if named_by == image.name or identity not in self._configs:
            reference = image.name if named_by == image.name else identity
            reply = await self._engine.call("GET", f"/images/{reference}/json")
            if reply.status != 200:
                raise missing(image)
            found = reply.json()
            if found["Id"] != identity:
                raise Refusal("image", f"{image.name} is no longer the image that the allowlist pins")
            config = found.get("Config") or {}
            if faults := list(faults_of_image(config, self._policy)):
                raise Refusal("image", f"{image.name} may not run: {'; '.join(faults)}")
            self._configs[identity] = config
        return self._configs[identity]


def missing(image: AllowedImage) -> Refusal:
    """Return what is said of an image that the engine does not have."""
    return Refusal("image", f"the image {shown(image.name)} is not on this engine, and nothing is pulled")
