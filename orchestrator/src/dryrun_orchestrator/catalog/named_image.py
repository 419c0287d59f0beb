"""Reads the name of an image in an operator's file."""

from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist, ImageNotApprovedError
from dryrun_orchestrator.catalog.yaml_tree import Node
from dryrun_orchestrator.labels import Role

_OTHER_ROLE: dict[Role, str] = {
    "target": "is a collector; a template names targets, and collectors have manifests of their own",
    "collector": "is a target; a collector's image is called discovery/test-collector-NAME:TAG",
}


def read_image(node: Node, allowlist: Allowlist, role: Role) -> AllowedImage | None:
    """Return the image of this role that a node names; None, with a fault, where there is none."""
    name = node.text()
    if name is None:
        return None
    try:
        image = allowlist.image(name)
    except ImageNotApprovedError as error:
        node.fault(str(error))
        return None
    if image.role != role:
        node.fault(f"{name} {_OTHER_ROLE[role]}")
        return None
    return image
