"""What a session's orchestrator sends to the guards of a fleet."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from local_stack import ROOT

NGINX = "discovery/test-nginx:1.26"


def image(name: str) -> dict[str, Any]:
    """Return an image's row of the allowlist."""
    row: dict[str, Any] = json.loads((ROOT / ".dryrun" / "allowlist.json").read_text())["images"][name]
    return row


class Words:
    """What a session's orchestrator sends to the guards."""

    def __init__(self, number: int, seconds: float = 600) -> None:
        self.id = str(uuid4())
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        self.shared = {
            "discovery.dryrun.session_id": self.id,
            "discovery.dryrun.owner": "owner",
            "discovery.dryrun.template": "small",
            "discovery.dryrun.expires_at": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self.name = f"dryrun-{self.id}"
        self.base = f"10.213.{number}"

    def overlay(self, **changes: Any) -> dict[str, Any]:
        addresses = {"Subnet": f"{self.base}.0/26", "IPRange": f"{self.base}.32/27"}
        body = {
            "Name": self.name,
            "Driver": "overlay",
            "Scope": "swarm",
            "Internal": True,
            "EnableIPv6": False,
            "Attachable": True,
            "IPAM": {"Driver": "default", "Config": [addresses]},
            "Options": {},
            "Labels": dict(self.shared),
        }
        return body | changes

    def container(self, last: int, *, network: str = "") -> dict[str, Any]:
        row = image(NGINX)
        mounts = {
            path: f"size={each['size']},uid={each['uid']},gid={each['gid']},mode={each['mode']}"
            for path, each in row["tmpfs"].items()
        }
        on = network or self.name
        return {
            "Image": row["id"],
            "Labels": self.shared
            | {
                "discovery.dryrun.service": f"web{last}",
                "discovery.dryrun.role": "target",
                "discovery.dryrun.image": NGINX,
            },
            "HostConfig": {
                "NetworkMode": on,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Memory": 512 * 2**20,
                "MemorySwap": 512 * 2**20,
                "NanoCpus": 500_000_000,
                "PidsLimit": 100,
                "ReadonlyRootfs": row["read_only"],
                "Tmpfs": mounts,
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
            },
            "NetworkingConfig": {
                "EndpointsConfig": {on: {"IPAMConfig": {"IPv4Address": f"{self.base}.{last}"}}}
            },
        }
