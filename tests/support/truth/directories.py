"""What name servers, directories, file servers and agents hold, asked by Debian's own clients from inside."""

import re

from target_container import TargetContainer
from truth.facts import Facts, key
from truth.sockets import Listener

_SYSTEM_GROUP = {"name": "5", "description": "1", "location": "6"}
_TYPES_OF_SHARES = {"Disk": "disk", "IPC": "ipc", "Printer": "printer"}


def facts(target: TargetContainer, listener: Listener) -> Facts:
    """Return what lies behind this port; nothing for what is neither."""
    match listener.program, listener.transport:
        case "named", "tcp":
            return _zones(target, listener)
        case "slapd", _:
            return _naming_contexts(target, listener)
        case "smbd", _:
            return _shares(target, listener)
        case "snmpd", _:
            return _system_group(target, listener)
    return {}


def _zones(target: TargetContainer, listener: Listener) -> Facts:
    """Try the transfer of every zone that the configuration serves; what is refused is no fact."""
    configured = target.execute(
        "bash", "-c", "named-checkconf -l $(tr '\\0' '\\n' < /proc/1/cmdline | grep '\\.conf$')"
    )
    found: Facts = {}
    for line in configured.splitlines():
        zone, _, _, kind = line.split()[:4]
        if kind not in {"master", "primary"}:
            continue
        # A configuration may let in other addresses than the loopback's: ask by the container's own.
        script = f"dig +noall +answer +onesoa @$(hostname -i) -p {listener.port} {zone} AXFR"
        records = [
            record
            for record in target.execute("bash", "-c", script, check=False).splitlines()
            if record and not record.startswith(";")
        ]
        if records:
            found["dns_zone", key(listener.key, zone.rstrip(".").lower())] = {"records": str(len(records))}
    return found


def _naming_contexts(target: TargetContainer, listener: Listener) -> Facts:
    command = ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", f"ldap://127.0.0.1:{listener.port}"]
    answer = target.execute(*command, "-s", "base", "-b", "", "namingContexts")
    contexts = re.findall(r"(?m)^namingContexts: (.+)$", answer)
    return {("directory", key(listener.key, name.lower())): {"vendor": "OpenLDAP"} for name in contexts}


def _shares(target: TargetContainer, listener: Listener) -> Facts:
    answer = target.execute("smbclient", "-gN", "-p", str(listener.port), "-L", "//127.0.0.1")
    rows = re.findall(r"(?m)^(Disk|IPC|Printer)\|([^|]+)\|", answer)
    return {("share", key(listener.key, name)): {"type": _TYPES_OF_SHARES[kind]} for kind, name in rows}


def _system_group(target: TargetContainer, listener: Listener) -> Facts:
    seen = {}
    for name, number in _SYSTEM_GROUP.items():
        command = ["snmpget", "-v2c", "-c", "public", "-Oqv", f"127.0.0.1:{listener.port}"]
        seen[name] = target.execute(*command, f"1.3.6.1.2.1.1.{number}.0").strip().strip('"')
    return {("snmp_system", listener.key): seen}
