"""Which columns of a table are read, and as what: the names that people and their programs give them."""

from collections.abc import Collection
from dataclasses import dataclass

_ADDRESS = (
    *("ip_address", "ip", "address", "ipv4", "ipv4_address", "ip_addresses", "ipv6", "ipv6_address"),
    *("ipaddress", "ip_addr", "host_ip", "ip4", "ip6", "ip_str", "private_ip", "private_ip_address"),
    *("service_address", "addresses"),
)
_NAME = (
    *("host", "hostname", "fqdn", "dns_name", "name", "host_name", "machine", "server", "asset", "device"),
    *("server_name", "computer_name", "computername", "asset_name", "assetname"),
)
PORT = (
    *("port", "ports", "port_number", "portid", "dst_port", "open_ports", "open_port", "tcp_ports"),
    *("ports_open", "portnumber", "service_port", "listening_port", "listening_ports"),
    "service_ports_tcp",
)
TRANSPORT = ("transport", "protocol", "proto", "l4_protocol", "port_protocol", "service_transport")
SERVICE = ("service", "service_name", "app_protocol", "application_protocol", "service_protocol")
PRODUCT = ("product", "software", "application", "app", "service_product")
VERSION = ("version", "product_version", "software_version", "service_version")
PURPOSE = ("role", "type", "purpose", "device_role", "function")
TLS = ("tls", "ssl", "encrypted")
TITLE = ("title", "http_title")
STATE = ("state", "port_state", "port_status", "status", "classification", "success")
"""Columns that say whether a port is open; zmap's last two."""
_SAYS_WHOSE_NAME = frozenset({"host", "hostname", "host_name", "fqdn", "machine", "server", "server_name"})
"""Beside one of these, `name` is mostly that of a service, a session or a scanner's plugin."""
_CONNECTIONS = frozenset({"daddr", "dport"})
_BY_ZMAP = frozenset({"classification", "success"})


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table that name its hosts, their ports and what those said."""

    addresses: tuple[str, ...]
    names: tuple[str, ...]
    ports: tuple[str, ...]
    banners: tuple[str, ...]

    @classmethod
    def of(cls, columns: Collection[str]) -> "Columns":
        """Return those of a table with these columns.

        >>> Columns.of({"saddr", "sport"}).ports[-1], Columns.of({"saddr", "sport", "dport"}).ports[-1]
        ('sport', 'service_ports_tcp')
        >>> Columns.of({"ip_str", "data"}).banners, Columns.of({"ip", "data"}).banners
        (('banner', 'data'), ('banner',))
        """
        there = frozenset(columns)
        # Lists of connections have these too: there, either end may be the server.
        by_zmap = "saddr" in there and not (there & _CONNECTIONS and not there & _BY_ZMAP)
        return cls(
            addresses=(*_ADDRESS, "saddr") if by_zmap else _ADDRESS,
            names=tuple(each for each in _NAME if each != "name") if there & _SAYS_WHOSE_NAME else _NAME,
            ports=(*PORT, "sport") if by_zmap else PORT,
            banners=("banner", "data") if "ip_str" in there else ("banner",),
        )

    @property
    def of_hosts(self) -> frozenset[str]:
        """Those that name the host of a row."""
        return frozenset((*self.addresses, *self.names))

    @property
    def read(self) -> frozenset[str]:
        """All columns that mean something in such a table."""
        own = (*self.of_hosts, *self.ports, *self.banners)
        others = (*TRANSPORT, *SERVICE, *PRODUCT, *VERSION, *PURPOSE, *TLS, *TITLE, *STATE)
        return frozenset((*own, *others, "cpe"))
