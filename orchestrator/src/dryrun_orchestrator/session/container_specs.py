"""Builds engine specs of networks and containers from session, template and allowlist."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from dryrun_orchestrator import labels
from dryrun_orchestrator.catalog.allowlist import AllowedImage
from dryrun_orchestrator.engine.protocol import ContainerSpec, Limits, NetworkSpec

TARGET_LIMITS = Limits(log_files=2)


def session_labels(session_id: UUID, owner: UUID, template: str, expires_at: datetime) -> dict[str, str]:
    """Return the labels of a session's network and containers."""
    return {
        labels.SESSION_ID: str(session_id),
        labels.OWNER: str(owner),
        labels.TEMPLATE: template,
        labels.EXPIRES_AT: labels.rfc3339(expires_at),
    }


def network_spec(session_id: UUID, subnet: str, common: Mapping[str, str]) -> NetworkSpec:
    """Return the spec of the session's network."""
    return NetworkSpec(
        name=labels.network_name(session_id),
        bridge=labels.bridge_name(session_id),
        subnet=subnet,
        labels=dict(common),
    )


def container_spec(
    session_id: UUID,
    common: Mapping[str, str],
    image: AllowedImage,
    *,
    service: str,
    address: str,
    environment: Mapping[str, str],
    limits: Limits | None = None,
    alias: bool = True,
    arguments: tuple[str, ...] = (),
    capabilities: tuple[str, ...] | None = None,
    stdin: bool = False,
) -> ContainerSpec:
    """Return the spec of one container; `service` is the template's service or the collector's name.

    Without `capabilities` it gets all that the allowlist grants its image.
    """
    return ContainerSpec(
        name=_opaque_name(session_id, common[labels.OWNER], f"{image.role}:{service}"),
        image_id=image.id,
        image_name=image.name,
        network=labels.network_name(session_id),
        address=address,
        aliases=(service,) if alias else (),
        labels={
            **common,
            labels.SERVICE: service,
            labels.ROLE: image.role,
            labels.IMAGE: image.name,
        },
        environment=dict(environment),
        arguments=arguments,
        stdin=stdin,
        capabilities=image.capabilities if capabilities is None else capabilities,
        read_only=image.read_only,
        tmpfs=dict(image.tmpfs),
        limits=limits or Limits(),
    )


def _opaque_name(session_id: UUID, owner: str, place: str) -> str:
    """Return a name that is the same in every attempt and reveals nothing to a collector.

    A repeated create meets its own result as a conflict instead of making a second container. nmap reads
    container names by reverse DNS; the digest is keyed with the owner's id, which no collector knows.
    """
    digest = hmac.new(owner.encode(), f"{session_id}/{place}".encode(), hashlib.sha256)
    return f"dryrun-{digest.hexdigest()[:16]}"
