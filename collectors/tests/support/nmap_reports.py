"""Reports as nmap writes them with -oX, and a program that writes them in its place."""

from pathlib import Path

HEAD = "<?xml version='1.0'?><!DOCTYPE nmaprun><nmaprun>"
FOOT = "<runstats><finished exit='success'/></runstats></nmaprun>"


def host(address: str, *ports: str, reason="arp-response") -> str:
    return (
        f"<host><status state='up' reason='{reason}'/><address addr='{address}' addrtype='ipv4'/>"
        f"<ports>{''.join(ports)}</ports></host>"
    )


def port(number: int, service="") -> str:
    return f"<port protocol='tcp' portid='{number}'><state state='open'/>{service}</port>"


HTTP = "<service name='http' method='probed' conf='10' product='nginx' version='1.26.3'/>"
TABLE = "<service name='http' method='table' conf='3'/>"


def install_nmap(folder: Path, *reports: str, script: str = "", said: str = "") -> Path:
    """Write an nmap that logs its calls and answers its n-th call with the n-th report.

    Further calls get the last one. `said`: what it says at its first call before it reports. Returns the
    log of its calls.
    """
    for number, report in enumerate(reports, start=1):
        (folder / f"report{number}").write_text(report)
    (folder / "said1").write_text(said)
    calls = folder / "calls"
    program = folder / "nmap"
    program.write_text(
        f"#!/bin/sh\ncd {folder}\n{script}\n"
        'out=$(echo " $*" | sed "s/.* -oX \\([^ ]*\\) .*/\\1/")\n'
        '{ printf "%s " "$@"; echo; tr "\\n" " "; echo; } >> calls\n'
        "number=$(($(wc -l < calls) / 2))\n"
        f'[ -f "report$number" ] || number={len(reports)}\n'
        '[ ! -f "said$number" ] || cat "said$number"\n'
        'cat "report$number" > "$out"\n'
    )
    program.chmod(0o755)
    return calls
