"""Where whatever arrives is printed, done by a radio or harmful, so that no question is sent there."""

import re
from collections.abc import Collection

PRINTERS_OWN = 9100
"""Where every printer with a network prints what arrives; and the node exporter's port."""
FRAGILE = range(1704, 1706)
"""Snapcast's streams and control: its server ends at bytes that it does not know (measured, 0.31)."""
REMOTE_CONTROL = range(4712, 4713)
"""aMule's external connections: its daemon ends while nmap asks (measured, 2.3)."""
RADIOS = range(4532, 4534)
"""Hamlib's `rigctld` and `rotctld`: letters of any text are commands to a transmitter or a mast."""
GREEDY = range(6817, 6820)
"""Slurm's daemons: they take the first four bytes for a length, and reserve up to a gigabyte for whatever
begins like text or LDAP (measured, 24.11), but say nothing of themselves."""
AGW = 8000
"""Where Direwolf serves radio programs, and web servers pages."""
PERHAPS_RADIO = frozenset({AGW, AGW + 1})
"""With KISS beside it: nothing is sent to either before `radio_programs` has asked what it is."""
SPARED = (FRAGILE, REMOTE_CONTROL, RADIOS, GREEDY)
_PERHAPS_PRINTED = range(PRINTERS_OWN, 9108)
"""With the further ports of print servers; nmap excludes them."""
PRINTER_SIGNS = frozenset({515, 631})
"""LPD and IPP: a host with either may be a printer."""
_ON_NO_PRINTER = re.compile(
    r"(?:postgresql|pgfoundry|mysql|mariadb|oracle (?:tns|database)|microsoft sql|ibm db2|informix|sybase|"
    r"firebird|mongodb|redis key-value|valkey|keydb|dragonfly|memcached|couchbase|couchdb|neo4j|clickhouse|"
    r"cockroachdb|yugabytedb|tidb|scylladb|arangodb|tarantool|pgpool-ii|pgagroal|proxysql|maxscale|patroni|influxdb|"
    r"victoriametrics|elasticsearch|opensearch|(?:apache )?(?:cassandra|solr|zookeeper|kafka|activemq|hadoop)"
    r"|etcd|rabbitmq|nats server|gearman|beanstalk|prometheus|grafana|graphite|zabbix|munin|nagios|icinga|"
    r"splunk|jaeger|zipkin|hashicorp|haproxy|varnish|envoy|traefik|docker|kubernetes|proxmox|openstack|minio|"
    r"ceph|corosync|glusterfs|moosefs|jenkins|gitlab|gitea|sonatype|jfrog|openldap|postfix|exim|dovecot)\b",
    re.IGNORECASE,
)
"""Beginnings of the names of what runs in server rooms: databases, queues, metrics, clusters, mail. Not what
printers, print servers and small boards run as well: web and file servers, SSH, SNMP, DNS."""


def may_write(number: int, open_ports: Collection[int] | None = None, products: Collection[str] = ()) -> bool:
    """Return whether a question may be sent to a port: never where it is printed, a command or fatal.

    `open_ports` are all of the host's, None while they are not known; `products` what `network` reports of
    it. A host that may be a printer is not written to where one prints; to 9100 only beside a product that
    no printer runs.
    """
    if any(number in ports for ports in SPARED):
        return False
    if number not in _PERHAPS_PRINTED:
        return True
    if open_ports is None or not PRINTER_SIGNS.isdisjoint(open_ports):
        return False
    return number != PRINTERS_OWN or any(_ON_NO_PRINTER.match(product) for product in products)
