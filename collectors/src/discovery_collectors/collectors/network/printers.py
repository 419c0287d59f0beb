"""Where printers print whatever arrives, so that no question is sent there."""

from collections.abc import Collection

PERHAPS_PRINTED = range(9101, 9108)
"""Where a printer's host prints what arrives: to be asked once all its open ports are known."""
PRINTER_SIGNS = frozenset({515, 631})
"""LPD and IPP: a host with either may be a printer."""
_NEVER_WRITTEN = 9100
"""What arrives here (on print servers up to 9107) is printed; nmap excludes them as well."""


def may_write(number: int, open_ports: Collection[int]) -> bool:
    """Return whether a question may be sent: never where it would be printed."""
    if number == _NEVER_WRITTEN:
        return False
    return number not in PERHAPS_PRINTED or PRINTER_SIGNS.isdisjoint(open_ports)
