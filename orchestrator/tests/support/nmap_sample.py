"""What nmap 7.95 writes, shortened."""

SCAN = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<?xml-stylesheet href="file:///usr/share/nmap/nmap.xsl" type="text/xsl"?>
<!-- Nmap 7.95 scan initiated as: nmap -sS -sV -oX - 10.213.0.0/27 -->
<nmaprun scanner="nmap" args="nmap -sS" start="1" version="7.95" xmloutputversion="1.05">
<scaninfo type="syn" protocol="tcp" numservices="1000" services="1-65535"/>
<taskprogress task="SYN Stealth Scan" time="1" percent="42.50" remaining="3" etc="5"/>
<host starttime="1" endtime="2"><status state="up" reason="arp-response" reason_ttl="0"/>
<address addr="10.213.0.2" addrtype="ipv4"/>
<address addr="02:42:0A:D5:00:02" addrtype="mac" vendor="Maker"/>
<hostnames>
</hostnames>
<ports><extraports state="closed" count="997"><extrareasons reason="reset" count="997"/></extraports>
<port protocol="tcp" portid="443"><state state="open" reason="syn-ack" reason_ttl="64"/><service name="http"
 product="nginx" version="1.26.3" extrainfo="Debian" tunnel="ssl" method="probed" conf="10">
<cpe>cpe:/a:igor_sysoev:nginx:1.26.3</cpe>
</service></port>
<port protocol="tcp" portid="5432"><state state="open" reason="syn-ack"/>
<service name="postgresql" method="table" conf="3"/></port>
<port protocol="udp" portid="161"><state state="open|filtered" reason="no-response"/></port>
<port protocol="tcp" portid="25"><state state="filtered" reason="no-response"/></port>
</ports>
</host>
<host><status state="down" reason="no-response"/><address addr="10.213.0.3" addrtype="ipv4"/></host>
<runstats><finished time="2" elapsed="1.5" summary="done" exit="success"/>
<hosts up="1" down="1" total="2"/></runstats>
</nmaprun>
"""
