"""Finds SNMP agents by UDP: SNMPv3's discovery of the engine id, which needs no community and no user."""

from discovery_collectors.collectors.snmp.messages import discovery_message, enterprise_of, read_engine_id
from discovery_collectors.protocols.ber import BerError
from discovery_collectors.protocols.udp import Facts, UdpProbe


def _read_engine(answer: bytes, _: int) -> Facts | None:
    try:
        enterprise = enterprise_of(read_engine_id(answer))
    except BerError:
        return None
    if enterprise == 8072:
        return {"product": "net-snmp", "enterprise": enterprise, "cpe": ["cpe:/a:net-snmp:net-snmp"]}
    return {} if enterprise is None else {"enterprise": enterprise}


SNMP = UdpProbe(161, "snmp", discovery_message, _read_engine)
