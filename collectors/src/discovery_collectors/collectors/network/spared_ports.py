"""Where whatever arrives is printed, done by a radio or fatal, so that no question is sent there."""

from collections.abc import Collection

PERHAPS_PRINTED = range(9101, 9108)
"""Where a printer's host prints what arrives: to be asked once all its open ports are known."""
PRINTER_SIGNS = frozenset({515, 631})
"""LPD and IPP: a host with either may be a printer."""
FRAGILE = range(1704, 1706)
"""Snapcast's streams and control: its server ends at bytes that it does not know (measured, 0.31)."""
RADIOS = range(4532, 4534)
"""Hamlib's `rigctld` and `rotctld`: letters of any text are commands to a transmitter or a mast."""
_PRINTED = 9100
"""What arrives here (on print servers up to 9107) is printed; nmap excludes them as well."""


def may_write(number: int, open_ports: Collection[int]) -> bool:
    """Return whether a question may be sent: never where it is printed, a command or fatal."""
    if number == _PRINTED or number in FRAGILE or number in RADIOS:
        return False
    return number not in PERHAPS_PRINTED or PRINTER_SIGNS.isdisjoint(open_ports)
