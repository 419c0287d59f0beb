"""Whether a scan stayed inside its network: by the isolation probe and the addresses of its discoveries."""

from ipaddress import ip_network

from approval_api.reports.scanned_session import ScannedSession
from dryrun_contract.report import Scope
from dryrun_contract.resource_key import ResourceKey

_SHOWN = 20


def check_scope(scanned: ScannedSession) -> Scope:
    """Return what can be known. Packets to addresses that no host has leave no trace."""
    subnet = scanned.network.subnet if scanned.network else None
    outside = _outside(scanned, subnet) if subnet else []
    isolated = scanned.isolation.isolated if scanned.isolation else None
    if isolated is None or not scanned.has_scanned:
        kept, detail = None, "nothing ran in a network that was probed"
    elif not isolated:
        kept, detail = False, "the network was not isolated from the host"
    elif outside:
        kept, detail = False, f"{len(outside)} discoveries lie outside {subnet}"
    else:
        kept = True
        detail = f"nothing leads out of {subnet or 'the network'}, and no discovery lies outside it"
    return Scope(subnet=subnet, kept=kept, outside=tuple(outside[:_SHOWN]), detail=detail)


def _outside(scanned: ScannedSession, subnet: str) -> list[str]:
    network = ip_network(subnet)
    found = set()
    for finding in scanned.findings:
        try:
            address = ResourceKey.parse(finding.discovery.key).address
        except ValueError:
            continue
        if address is not None and address not in network:
            found.add(finding.discovery.key)
    return sorted(found)
