"""What masscan 1.3.2 of Debian 13 wrote with `-oX -` about an OpenSSH server; recorded, unchanged."""

# ruff: noqa: E501 - lines as masscan wrote them

PORTS = b"""<?xml version="1.0"?>
<!-- masscan v1.0 scan -->
<nmaprun scanner="masscan" start="1795736702" version="1.0-BETA"  xmloutputversion="1.03">
<scaninfo type="syn" protocol="tcp" />
<host endtime="1795736702"><address addr="10.213.255.5" addrtype="ipv4"/><ports><port protocol="icmp" portid="0"><state state="open" reason="none" reason_ttl="64"/></port></ports></host>
<host endtime="1795736702"><address addr="10.213.255.5" addrtype="ipv4"/><ports><port protocol="tcp" portid="22"><state state="open" reason="syn-ack" reason_ttl="64"/></port></ports></host>
<host endtime="1795736706"><address addr="10.213.255.5" addrtype="ipv4"/><ports><port protocol="tcp" portid="22"><state state="open" reason="response" reason_ttl="64" /><service name="ssh" banner="SSH-2.0-OpenSSH_10.0p2"></service></port></ports></host>
<runstats>
<finished time="1795736706" timestr="2026-11-26 23:45:06" elapsed="4" />
<hosts up="1" down="0" total="1" />
</runstats>
</nmaprun>
"""
"""`masscan 10.213.255.5 -p22,23 --ping --banners`."""

HOSTS = b"""<?xml version="1.0"?>
<!-- masscan v1.0 scan -->
<nmaprun scanner="masscan" start="1795736708" version="1.0-BETA"  xmloutputversion="1.03">
<scaninfo type="syn" protocol="tcp" />
<host endtime="1795736708"><address addr="10.213.255.5" addrtype="ipv4"/><ports><port protocol="arp" portid="0"><state state="up" reason="none" reason_ttl="0"/></port></ports></host>
<host endtime="1795736708"><address addr="10.213.255.1" addrtype="ipv4"/><ports><port protocol="arp" portid="0"><state state="up" reason="none" reason_ttl="0"/></port></ports></host>
<runstats>
<finished time="1795736715" timestr="2026-11-26 23:45:15" elapsed="8" />
<hosts up="0" down="0" total="0" />
</runstats>
</nmaprun>
"""
"""`masscan 10.213.255.0/29 --arp`."""

CLOSED = b"""<?xml version="1.0"?>
<!-- masscan v1.0 scan -->
<nmaprun scanner="masscan" start="1795736716" version="1.0-BETA"  xmloutputversion="1.03">
<scaninfo type="syn" protocol="tcp" />
<host endtime="1795736716"><address addr="10.213.255.5" addrtype="ipv4"/><ports><port protocol="udp" portid="25"><state state="closed" reason="none" reason_ttl="64"/></port></ports></host>
<runstats>
<finished time="1795736721" timestr="2026-11-26 23:45:21" elapsed="5" />
<hosts up="0" down="0" total="0" />
</runstats>
</nmaprun>
"""
"""`masscan 10.213.255.5 -pU:25 --show closed`."""
