"""The collector `snmp`: the system group of SNMP agents."""

from discovery_collectors.collector import Descriptor
from discovery_collectors.collectors.snmp.engine_probe import SNMP

DESCRIPTOR = Descriptor(
    summary="the system group of SNMP agents found before",
    provides=("service", "snmp_system"),
    needs=("service",),
    credentials=frozenset({"snmp"}),
    # A community is the password itself.
    in_clear=frozenset({"snmp"}),
    udp_probes=(SNMP,),
)
