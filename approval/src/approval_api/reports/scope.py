"""Whether a scan stayed inside its network: what the probe proved, and what collectors tell of elsewhere."""

from ipaddress import ip_address, ip_network

from approval_api.reports.model import Scope
from approval_api.reports.reading import Reading
from dryrun_contract.resource_key import ResourceKey

_SHOWN = 20


def check_scope(reading: Reading) -> Scope:
    """Return what can be known. Packets to addresses that nobody has are seen by nobody."""
    outside = _outside(reading)
    isolated = reading.isolation.isolated if reading.isolation else None
    if isolated is None or not reading.runs:
        kept, detail = None, "nothing ran in a network that was probed"
    elif not isolated:
        kept, detail = False, "the network was not isolated from the host"
    elif outside:
        kept, detail = False, f"{len(outside)} things were told of addresses outside {reading.subnet}"
    else:
        kept = True
        detail = f"nothing leads out of {reading.subnet or 'the network'}, and nothing was told of elsewhere"
    return Scope(subnet=reading.subnet, kept=kept, outside=tuple(outside[:_SHOWN]), detail=detail)


def _outside(reading: Reading) -> list[str]:
    if reading.subnet is None:
        return []
    network = ip_network(reading.subnet)
    found = set()
    for finding in reading.findings:
        try:
            address = ip_address(ResourceKey.parse(finding.discovery.key).host)
        except ValueError:
            continue
        if address not in network:
            found.add(finding.discovery.key)
    return sorted(found)
