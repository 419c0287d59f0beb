"""Controllers of machines and gateways to them: small devices that bear few connections and few questions."""

from collections.abc import Collection

CONTROLLER_PORTS = frozenset({102, 502, 789, 1911, 1962, 2404, 18245, 44818})
"""S7, Modbus, Red Lion Crimson, Niagara Fox, PCWorx, IEC 60870-5-104, GE SRTP, EtherNet/IP; without ports
that servers use as well (20000: DNP3 and Webmin)."""
_MOST_PORTS = 32
"""A device has few; what opens more answers for others, or for everything."""


def is_controller(open_ports: Collection[int]) -> bool:
    """Return whether a host with these open ports may be one."""
    return len(open_ports) <= _MOST_PORTS and not CONTROLLER_PORTS.isdisjoint(open_ports)
