"""Reads a template's service and its variants (`x-variants`), between which a seed chooses."""

from collections.abc import Mapping
from types import MappingProxyType

from dryrun_contract.collector_config import MAX_PART_BYTES
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.named_image import read_image
from dryrun_orchestrator.catalog.truth_reader import read_ground_truth
from dryrun_orchestrator.catalog.variants import Alternative
from dryrun_orchestrator.catalog.yaml_tree import Node, shown

MAX_VARIANTS = 20
_VARIANT_KEYS = {"image": False, "environment": False, "x-ground-truth": False}


def read_alternatives(fields: Mapping[str, Node], allowlist: Allowlist) -> tuple[Alternative, ...]:
    """Return the service as written, then its variants; nothing when its image cannot be used.

    A variant replaces the keys it names. With another image, the service's environment and ground truth no
    longer apply: the environment is then empty and the ground truth the image's own.
    """
    written = _read_one(fields, None, allowlist) if "image" in fields else None
    found = [] if written is None else [written]
    node = fields.get("x-variants")
    for count, item in enumerate(node.items() if node else ()):
        if count == MAX_VARIANTS:
            item.fault(f"is one more than the {MAX_VARIANTS} variants that a service can have")
            break
        own = item.fields(_VARIANT_KEYS, otherwise=f"a variant replaces {', '.join(_VARIANT_KEYS)}")
        if isinstance(item.content, dict) and not item.content:
            item.fault(f"is empty; a variant replaces {', '.join(_VARIANT_KEYS)}")
        variant = _read_one(own, written, allowlist)
        if variant is not None:
            found.append(variant)
    if node is not None and node.content == []:
        node.fault("is empty; leave it out when the service has no variants")
    return tuple(found) if written is not None else ()


def _read_one(
    fields: Mapping[str, Node], written: Alternative | None, allowlist: Allowlist
) -> Alternative | None:
    """Read one alternative; keys it does not name come from `written` where they still apply."""
    kept = None if "image" in fields else written
    image = None if kept is None else kept.image
    if "image" in fields:
        image = read_image(fields["image"], allowlist, "target")
    environment = {} if kept is None else kept.environment
    if "environment" in fields:
        environment = _read_environment(fields["environment"], image)
    facts = kept.facts if kept is not None else () if image is None else image.ground_truth
    if "x-ground-truth" in fields:
        name, known = (None, {}) if image is None else (image.name, image.facts)
        facts = read_ground_truth(fields["x-ground-truth"], name, known)
    return None if image is None else Alternative(image, MappingProxyType(dict(environment)), facts)


def _read_environment(node: Node, image: AllowedImage | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if isinstance(node.content, list):
        for item in node.items():
            text = item.string(max_length=MAX_PART_BYTES)
            key, separator, value = (text or "").partition("=")
            if text is not None and not separator:
                item.fault("has no '=': a value from the loader's own environment is not taken")
            elif text is not None and key in found:
                item.fault(f"sets {shown(key)} a second time")
            elif text is not None:
                found[key] = value
                _check_environment_key(item, key, image)
        return found
    for key, entry in node.entries().items():
        _check_environment_key(entry, key, image)
        value_or_none = entry.string(max_length=MAX_PART_BYTES)
        if value_or_none is not None:
            found[key] = value_or_none
    return found


def _check_environment_key(node: Node, key: str, image: AllowedImage | None) -> None:
    if image is not None and key not in image.environment:
        allowed = ", ".join(sorted(image.environment)) or "none"
        node.fault(f"the key {shown(key)} cannot be set: {image.name} allows {allowed}")
