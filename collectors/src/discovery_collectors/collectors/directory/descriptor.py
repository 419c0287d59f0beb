"""The collector `directory`: naming contexts of LDAP, shares of SMB, zones of DNS."""

from discovery_collectors.collector import Descriptor
from discovery_collectors.collectors.directory.dns_version import DNS

DESCRIPTOR = Descriptor(
    summary="LDAP naming contexts, SMB shares, DNS zones that may be copied",
    provides=("service", "directory", "share", "dns_zone"),
    needs=("service", "certificate"),
    credentials=frozenset({"smb"}),
    udp_probes=(DNS,),
)
