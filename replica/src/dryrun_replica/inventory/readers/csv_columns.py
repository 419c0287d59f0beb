"""Which columns of a table are read, and as what: the names that people and their programs give them."""

from collections.abc import Collection
from dataclasses import dataclass

_ADDRESS = (
    *("ip_address", "ip", "address", "ipv4", "ipv4_address", "ip_addresses", "ipv6", "ipv6_address"),
    *("ipaddress", "ip_addr", "host_ip", "ip4", "ip6", "ip_str", "private_ip", "private_ip_address"),
    *("service_address", "addresses", "asset_ip_address", "primary_ip", "management_ip", "ip_s", "ips"),
    *("ipv4_addresses", "private_ip_addresses", "privateips", "ip_adresse", "ip_adressen", "ipv4_adresse"),
    *("adresse_ip", "adresses_ip", "adresse_ipv4", "direccion_ip", "direcciones_ip", "ip_v4"),
    *("primary_ip_address", "host_address", "network_ip", "reseau_ip", "netzwerk_ip", "mgmt_ip"),
)
_NAME = (
    *("host", "hostname", "fqdn", "dns_name", "name", "host_name", "machine", "server", "asset", "device"),
    *("server_name", "computer_name", "computername", "asset_name", "assetname", "device_name", "computer"),
    *("asset_names", "vm_name", "instance_name", "rechnername", "rechner", "servername", "geratename"),
    *("gerat", "nom", "nom_d_hote", "serveur", "nombre", "nombre_de_host", "servidor", "equipo"),
)
PORT = (
    *("port", "ports", "port_number", "portid", "dst_port", "open_ports", "open_port", "tcp_ports"),
    *("ports_open", "portnumber", "service_port", "listening_port", "listening_ports"),
    *("service_ports_tcp", "offene_ports", "ports_ouverts", "port_ouvert", "puerto", "puertos"),
    *("puertos_abiertos", "service_ports", "services_ports", "ports_services", "dienste_ports"),
    *("ports_dienste", "ports_in_use", "ports_used", "used_ports"),
)
TRANSPORT = (
    *("transport", "protocol", "proto", "l4_protocol", "port_protocol", "service_transport"),
    *("protokoll", "protocole", "protocolo"),
)
SERVICE = (
    *("service", "service_name", "app_protocol", "application_protocol", "service_protocol", "dienst"),
    *("servicio",),
)
PRODUCT = (
    *(
        "product",
        "software",
        "application",
        "app",
        "service_product",
        "service_products",
        "produkt",
        "anwendung",
        "produit",
    ),
    *("logiciel", "producto", "aplicacion"),
)
VERSION = ("version", "product_version", "software_version", "service_version")
PURPOSE = ("role", "type", "purpose", "device_role", "function", "rolle", "funktion", "fonction", "rol")
LISTENS_AT = ("listening_ip", "listen_address", "listening_address", "bind_address", "local_address")
"""Columns that say at which of its addresses a host listens."""
TLS = ("tls", "ssl", "encrypted")
TITLE = ("title", "http_title")
STATE = (
    *("state", "port_state", "port_status", "status", "classification", "success"),
    *("zustand", "etat", "statut", "estado"),
)
"""Columns that say whether a port is open, or whether a host is running; zmap has two of its own."""
HOST_STATE = (
    *("host_status", "host_state", "device_status", "asset_status", "asset_state", "server_status"),
    *("lifecycle", "lifecycle_status", "lifecycle_state", "install_status", "operational_status"),
    *("power_state", "powerstate", "vm_state", "instance_state", "in_service", "is_active"),
)
"""Columns that say whether a host is running, and nothing of its ports."""
CHECKED = (*SERVICE, "sensor", "check", "check_command", "item", "monitor", "trigger")
"""Columns that name what a monitoring system looks at."""
_OF_FINDINGS = frozenset({"qid", "plugin_id", "nvt_oid", "nvt_name", "cve", "cvss", "vulnerability_title"})
"""Beside one of these, `title` is a finding's."""
_OF_MACHINES = ("vm", "vm_name", "dns_name", "fqdn", "hostname")
"""Names in a table of virtual machines, whose `host` is what they run on."""
_SAYS_WHOSE_NAME = frozenset(
    (
        *("host", "hostname", "host_name", "fqdn", "machine", "server", "server_name", "rechnername"),
        *("rechner", "servername", "nom_d_hote", "serveur", "nombre_de_host", "servidor", "equipo"),
    )
)
"""Beside one of these, `name` is mostly that of a service, a session or a scanner's plugin."""
_MERELY_A_NAME = frozenset({"name", "nom", "nombre"})
_CONNECTIONS = frozenset({"daddr", "dport"})
_OF_SWITCHES = frozenset({"switch", "ip_state"})
_BY_ZMAP = frozenset({"classification", "success"})


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table that name its hosts, their ports and what those said."""

    addresses: tuple[str, ...]
    names: tuple[str, ...]
    ports: tuple[str, ...]
    banners: tuple[str, ...]
    titles: tuple[str, ...]
    is_sure_without_tls: bool
    """Whether a cell that denies TLS means it: naabu's says only that it did not ask."""

    @classmethod
    def of(cls, columns: Collection[str]) -> "Columns":
        """Return those of a table with these columns.

        >>> Columns.of({"saddr", "sport"}).ports[-1], Columns.of({"saddr", "sport", "dport"}).ports[-1]
        ('sport', 'used_ports')
        >>> Columns.of({"ip_str", "data"}).banners, Columns.of({"ip", "data"}).banners
        (('banner', 'data'), ('banner',))
        """
        there = frozenset(columns)
        unsure = _MERELY_A_NAME if there & _SAYS_WHOSE_NAME else frozenset[str]()
        # Lists of connections have these too: there, either end may be the server.
        by_zmap = "saddr" in there and not (there & _CONNECTIONS and not there & _BY_ZMAP)
        names = tuple(each for each in _NAME if each not in unsure)
        # phpIPAM has the switch that a host is plugged into, and there the port. It calls both `device`.
        is_plugged_in = bool(there & _OF_SWITCHES)
        ports = tuple(each for each in PORT if each != "port") if is_plugged_in else PORT
        names = tuple(each for each in names if each != "device" or not is_plugged_in)
        return cls(
            addresses=(*_ADDRESS, "saddr") if by_zmap else _ADDRESS,
            names=_OF_MACHINES if "vm" in there else names,
            ports=(*ports, "sport") if by_zmap else ports,
            banners=("banner", "data") if "ip_str" in there else ("banner",),
            is_sure_without_tls="cdn_name" not in there,
            titles=("http_title",) if there & _OF_FINDINGS else TITLE,
        )

    @property
    def of_hosts(self) -> frozenset[str]:
        """Those that name the host of a row."""
        return frozenset((*self.addresses, *self.names))

    @property
    def read(self) -> frozenset[str]:
        """All columns that mean something in such a table."""
        own = (*self.of_hosts, *self.ports, *self.banners, *self.titles)
        others = (*TRANSPORT, *SERVICE, *PRODUCT, *VERSION, *PURPOSE, *TLS, *STATE, *HOST_STATE, *LISTENS_AT)
        return frozenset((*own, *others, "cpe"))
