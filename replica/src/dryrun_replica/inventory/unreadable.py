"""Says of a file that no reader reads what it is, why it is not read, and which other file would be."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_HEAD = 4096
_TAR = slice(257, 262)
_PACKED: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x1f\x8b": "is compressed by gzip; decompress it first",
        b"\x28\xb5\x2f\xfd": "is compressed by zstd; decompress it first",
        b"\xfd7zXZ": "is compressed by xz; decompress it first",
        b"BZh": "is compressed by bzip2; decompress it first",
        b"PK\x03\x04": "is a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV",
        b"\xd0\xcf\x11\xe0": "is an Excel workbook; save the sheet as CSV",
        b"%PDF-": "is a PDF; export the table as CSV",
    }
)
_TABLE = "a table with the heading host,port,product,version"
_NEXT = f"import a scan of its hosts, or {_TABLE}"
_NO_PORTS = f"which lists no ports; {_NEXT}"
_FOR_PEOPLE = "is what nmap prints for people; scan with -oX FILE and import that file"
_OF_SHODAN = "is Shodan's JSON; `shodan convert FILE csv` writes a table that is read"
_FROM_KUBECTL = (
    "for its services make a table: the heading host,port,service, "
    "then `kubectl get svc -A -o json | jq -r '.items[] | .metadata.name as $name | .spec.ports[]? | "
    "[$name, .port, .name] | @csv'`"
)
_BY_KUBECTL = f"is what `kubectl get` prints for people; {_FROM_KUBECTL}"
_OF_KUBERNETES = (
    f"is an object of Kubernetes, which is not read; {_FROM_KUBECTL}; or import a scan of its addresses"
)
_DRAWN = (
    "is a table drawn with lines for people; let its program write CSV or JSON, and make a table of that "
    "with the heading host,port"
)
_ALIGNED = (
    "is a table that blanks align for people; let its program write CSV or JSON, or put tabs between the "
    "columns, if no cell is empty: `sed -E 's/ {2,}/\\t/g' FILE`"
)
_BY_DOCKER = "is what `docker ps` prints; import the Compose file of the containers"
_OF_A_CLOUD = f"is a cloud's list of machines (AWS, Azure, Google), {_NO_PORTS}"
_OF_CONSUL = (
    "is Consul's catalog, which is not read; make a table of it: the heading host,port,service, then "
    "`jq -r '.[] | [.Address, .ServicePort, .ServiceName] | @csv'`"
)
_OF_MONITORING = f"is what {{}} knows of the hosts that it watches, {_NO_PORTS}"
_OF_WAZUH = (
    "is an answer of Wazuh; of the ports of an agent make a table: the heading host,port,protocol, then "
    '`jq -r \'.data.affected_items[] | select(.local.ip | test("^(127[.]|::1$)") | not) | [.agent_id, '
    ".local.port, .protocol] | @csv'`"
)
_OF_NEIGHBOURS = (
    "is a list of addresses that a machine has met, without ports; scan them with nmap -sV -oX scan.xml and "
    "import that"
)
_OF_ANSIBLE = f"is an inventory of Ansible, {_NO_PORTS}"
_OF_SOCKETS = (
    "is what ss or netstat prints on one host; make a table of it with the heading host,port,protocol, or "
    "scan the host with nmap -oX FILE"
)
_ADDRESSES = (
    "is a list of addresses without ports; scan them with nmap -sV -iL FILE -oX scan.xml and import that, or "
    "let zmap write the port too: -f saddr,sport"
)
_OF_XML = "is XML of a program whose XML is not read; export its services as CSV and import that file"
_INSIDE = rb"\A\s{0,50}[\[{][^\0]{0,4000}"
"""In the first object of JSON."""
_BEFORE_A_CELL = rb"\A(?:#[^\n]{0,4000}\n|[^#,;|\t\0]){0,4000}?^"
"""A line before which only comments have separators of tables: in a table's cells, banners quote anything."""
_FOREIGN = tuple(
    (re.compile(begins, re.MULTILINE), what)
    for begins, what in (
        (
            rb"^(?:Starting Nmap |# Nmap [\d.]{1,20}\w{0,20} scan initiated|Nmap scan report for )",
            _FOR_PEOPLE,
        ),
        (rb"\A[^\0]{0,200}<NessusClientData", "is a report of Nessus; export it as CSV and import that file"),
        (
            rb"\A[^\0]{0,200}<(?:get_reports_response|report)[\s>]",
            "is a report of OpenVAS; export its results as CSV and import that file",
        ),
        (rb"\A[^\0]{0,300}<(?:zabbix_export|!DOCTYPE SCAN\b|HOST_LIST_VM_DETECTION_OUTPUT)", _OF_XML),
        (_INSIDE + rb"\"(?:zabbix_export|hostid)\"\s{0,5}:", _OF_MONITORING.format("Zabbix")),
        (_INSIDE + rb"\"(?:device_id|snmpver)\"\s{0,5}:", _OF_MONITORING.format("LibreNMS")),
        (_INSIDE + rb"\"affected_items\"\s{0,5}:", _OF_WAZUH),
        (_INSIDE + rb"\"vmid\"\s{0,5}:", f"is Proxmox' list of machines, {_NO_PORTS}"),
        (_INSIDE + rb"\"(?:hardwareProfile|osProfile)\"\s{0,5}:", _OF_A_CLOUD),
        (rb"\ANAME +(?:ZONE|LOCATION) ", _OF_A_CLOUD),
        (
            rb"\A(?:#[^\n]{0,400}\n|\s){0,50}(?:authoring-byte-order|server-duid|lease \d)[^;]{0,200}[;{]",
            _OF_NEIGHBOURS,
        ),
        (
            rb"\A\s{0,9}(?:Address +HWtype|Interface: [\d.]{7,15} ---|\S{1,255} \([\d.]{7,15}\) at )",
            _OF_NEIGHBOURS,
        ),
        (
            rb"\A[\da-fA-F.:]{2,45} dev \S{1,20} ",
            _OF_NEIGHBOURS,
        ),
        (rb"\A\s{0,50}<(?i:!doctype html|html)", "is a web page; export its data as CSV or JSON"),
        (_INSIDE + rb"\"(?:ip_str|_shodan)\"\s{0,5}:", _OF_SHODAN),
        (_INSIDE + rb"\"terraform_version\"", f"is a state of Terraform, {_NO_PORTS}"),
        (_INSIDE + rb"\"(?:_meta|hostvars|ansible_host|ansible_facts)\"\s{0,5}:", _OF_ANSIBLE),
        (_INSIDE + rb"\"apiVersion\"\s{0,5}:", _OF_KUBERNETES),
        (_BEFORE_A_CELL + rb"apiVersion:", _OF_KUBERNETES),
        (_INSIDE + rb"\"(?:ServiceName|ServicePort|Service)\"\s{0,5}:", _OF_CONSUL),
        (_BEFORE_A_CELL + rb"[ \t]{0,50}(?:ansible_\w{1,50}:|hosts:[ \t]{0,50}$)", _OF_ANSIBLE),
        (rb"^[^\s,;]{1,300}[ \t][^\n]{0,500}\bansible_\w{1,50}=", _OF_ANSIBLE),
        (rb"\A(?:\s*[#;][^\n]*\n)*\s*\[[\w:. -]{1,100}\]\s*$", f"is an INI file, {_NO_PORTS}"),
        (rb"\A(?:[\w.-]{0,255}[ \t\r]{0,9}\n)+\[[\w:. -]{1,100}\]\s*$", _OF_ANSIBLE),
        (rb"^- ?targets:|^\s{0,50}static_configs:", f"is a list of Prometheus' targets; {_NEXT}"),
        (
            rb"^\$(?:ORIGIN|TTL)\b|^\S{0,255}[ \t]+(?:\d{1,10}[ \t]+)?IN[ \t]+SOA\b",
            f"is a zone of the DNS, {_NO_PORTS}",
        ),
        (rb"^Host[ \t]+\S[^\n]*\n[ \t]+(?i:hostname|port|user)\b", f"is SSH's configuration; {_NEXT}"),
        (rb"\A(?:Active Internet connections|Netid +State|Proto +Recv-Q|State +Recv-Q)", _OF_SOCKETS),
        (
            _INSIDE + rb"\"(?:Reservations|PrivateIpAddress|powerState|machineType|networkIP)\"\s{0,5}:",
            _OF_A_CLOUD,
        ),
        (_INSIDE + rb"\"Ports\"\s{0,5}:\s{0,5}\"[^\"]{0,300}->\d", _BY_DOCKER),
        (rb"\ACONTAINER ID\s", _BY_DOCKER),
        (rb"\A(?:NAMESPACE +)?NAME +(?:TYPE|READY|STATUS) ", _BY_KUBECTL),
        (
            rb"\A(?:\s*#[^\n]*\n)*\s*(?:\d{1,3}\.){3}\d{1,3}[ \t]+[A-Za-z]",
            f"is a list of addresses and names such as /etc/hosts, {_NO_PORTS}",
        ),
        (rb"\A(?:saddr\s+)?(?:\d{1,3}\.){3}\d{1,3}\s*$", _ADDRESSES),
        (
            rb"\A[^\n,;|\t]{1,300}\n[^\0]{0,3000}?^[ \t]{0,9}\|[^\n]{1,1000}\n[ \t]{0,9}\|[ \t:|-]{3,999}$",
            "is a page with a table of Markdown in it; save the table alone, beginning with its heading",
        ),
        (rb"\A\s{0,50}\{\|", "is a table of MediaWiki; save it as CSV"),
        (
            rb"\A[-+=]{5,1000}\s{0,20}\n\s{0,20}\||\A\xe2[\x94\x95]",
            _DRAWN,
        ),
        (
            rb"\A[A-Z][\w()-]{0,50}(?: {2,50}[A-Z][\w()-]{0,50}){2,30}\s{0,20}$",
            _ALIGNED,
        ),
    )
)
"""How files begin that people have and that are no inventory here, and what to do with each."""


def why_packed(raw: bytes) -> str | None:
    """Return why no format reads a file: compressed bytes can look like a table's heading."""
    if raw[_TAR] == b"ustar":
        return "is a tar archive, and no bundle of `network export`; unpack it and import the files in it"
    return next((what for signature, what in _PACKED.items() if raw.startswith(signature)), None)


def why_foreign(raw: bytes) -> str | None:
    """Return what a file is that another program wrote for another purpose; None where that is not known."""
    head = raw[:_HEAD].removeprefix(b"\xef\xbb\xbf")
    return next((what for begins, what in _FOREIGN if begins.search(head)), None)


def why_unknown(raw: bytes, formats: str) -> str:
    """Return why a file has none of the `formats`."""
    if not raw.strip():
        return "is empty"
    named = f"name it by --format: {formats}"
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}:
        return (
            f"is JSON of no known format; {named}. Of JSON of another program make a table: the heading "
            f"host,port, then `jq -r '{_each_in(raw)}[.host, .port] | @csv'`"
        )
    return f"has no known format; {named}. A table begins with a heading such as host,port"


def _each_in(raw: bytes) -> str:
    r"""Return what gives jq each host: of a list, of an object that holds one, or of an object a line.

    >>> _each_in(b'[{"host": 1}]'), _each_in(b'{"hosts": [{"host": 1}]}'), _each_in(b'{"host": 1}\n')
    ('.[] | ', '.hosts[] | ', '')
    """
    text = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"["):
        return ".[] | "
    held = re.match(rb"\{[^\[\]]{0,2000}?\"([A-Za-z_]\w{0,40})\"\s{0,5}:\s{0,5}\[\s{0,50}\{", text)
    return "" if held is None else f".{held[1].decode()}[] | "
