"""What is known of protocols and software everywhere: roles of hosts, ports, and words that identify nobody.

Names of protocols are those of nmap's table of services.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol, the role of a host that serves it, and where it is served."""

    name: str
    role: str
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    software: tuple[str, ...] = ()
    """Words by which products that speak it are known, in lower case."""


_TABLE = """
http | web | 80 8080 8000 8008 8081 3000 5000 9090 |  | nginx apache httpd apache2 lighttpd caddy iis
    waitress thttpd mini_httpd webfs simplehttpserver php wordpress cherokee monkey openresty goahead boa
    micro_httpd yaws mongrel cowboy nextcloud owncloud drupal mediawiki joomla moodle phpmyadmin pgadmin
    pgadmin4 vaultwarden
http | web | 8080 |  | tomcat jetty jboss wildfly glassfish jira adminer kafka-ui swagger-ui puma unicorn
    airflow twisted tornado
http | web | 8081 |  | mongo-express
http | web | 8000 |  | gunicorn uvicorn uwsgi django
http | web | 5000 |  | werkzeug flask mlflow
http | web | 3000 |  | node express metabase redmine nextjs
http | web | 8090 |  | confluence
http | web | 8069 |  | odoo
http | web | 8088 |  | superset
http | web | 8888 |  | jupyter
http | web | 7001 |  | weblogic
http | web | 9080 |  | websphere
http | web | 5678 |  | n8n
http | web | 1880 |  | node-red
https | web | 443 8443 | 443 | https
http-proxy | proxy | 3128 8888 |  | squid privoxy polipo
http-proxy | proxy | 8888 |  | tinyproxy
http-proxy | proxy | 80 |  | haproxy varnish traefik nginx-proxy pound hitch ats
http-proxy | proxy |  |  | envoy
http-proxy | proxy | 8000 |  | kong
http-proxy | proxy | 4180 |  | oauth2-proxy
socks5 | proxy | 1080 |  | dante danted socks socks5 microsocks tor
postgresql | database | 5432 |  | postgresql postgres timescaledb postgis pgpool
postgresql | database | 6432 |  | pgbouncer
mysql | database | 3306 |  | mysql mariadb percona
mysql | database | 6033 |  | proxysql
ms-sql-s | database | 1433 |  | mssql sqlserver ms-sql sql
oracle-tns | database | 1521 |  | oracle tns
mongodb | database | 27017 |  | mongodb mongo mongod ferretdb
cassandra | database | 9042 |  | cassandra scylla scylladb
http | database | 5984 |  | couchdb
http | database | 8091 |  | couchbase
http | database | 8123 |  | clickhouse
http | database | 7474 |  | neo4j
http | database | 8529 |  | arangodb
http | database | 6333 |  | qdrant
rethinkdb-client | database | 28015 |  | rethinkdb
firebird | database | 3050 |  | firebird
influxdb | database | 8086 |  | influxdb influx
http | search | 9200 |  | elasticsearch opensearch elastic
http | search | 5601 |  | kibana opensearch-dashboards
http | search | 8983 |  | solr
http | search | 7700 |  | meilisearch
redis | cache | 6379 |  | redis valkey keydb dragonfly
http | cache | 8081 |  | redis-commander
memcached | cache | 11211 | 11211 | memcached memcache
amqp | queue | 5672 5671 |  | rabbitmq qpid amqp
apachemq | queue | 61616 |  | activemq
mqtt | queue | 1883 8883 |  | mosquitto emqx mqtt hivemq vernemq
kafka | queue | 9092 |  | kafka redpanda
zookeeper | queue | 2181 |  | zookeeper
nats | queue | 4222 |  | nats nats-server
pulsar | queue | 6650 |  | pulsar
nsq | queue | 4150 |  | nsq nsqd
beanstalkd | queue | 11300 |  | beanstalkd
gearman | queue | 4730 |  | gearman gearmand
smtp | mail | 25 465 587 |  | postfix exim sendmail opensmtpd smtp smtps submission qmail exchange esmtp
smtp | mail | 1025 |  | mailhog mailpit
imap | mail | 143 993 |  | dovecot cyrus courier imap imapd imaps
pop3 | mail | 110 995 |  | pop3 pop3d qpopper pop3s
domain | dns | 53 | 53 | bind named unbound dnsmasq nsd knot powerdns pdns dns coredns domain
ldap | directory | 389 636 |  | openldap slapd ldap ldaps 389-ds freeipa
http | directory | 8080 |  | keycloak
http | directory | 9000 |  | authentik
kerberos-sec | directory | 88 | 88 | kerberos krb5 krb5kdc heimdal
microsoft-ds | files | 445 |  | samba smb smbd cifs
netbios-ssn | files | 139 | 137 | netbios nmbd netbios-ns
nfs | files | 2049 | 2049 | nfs nfsd ganesha
ftp | files | 21 |  | vsftpd proftpd pure-ftpd ftp ftpd pyftpdlib filezilla
rsync | files | 873 |  | rsync rsyncd
tftp | files |  | 69 | tftp tftpd atftpd tftpd-hpa
http | files |  |  | webdav sftpgo
iscsi | storage | 3260 |  | iscsi tgt ceph glusterfs
http | storage | 9000 |  | minio s3
ipp | print | 631 |  | cups ipp cupsd
jetdirect | print | 9100 |  | jetdirect
printer | print | 515 |  | lpd lprng printer
snmp | network |  | 161 | snmp snmpd net-snmp
telnet | network | 23 |  | telnet telnetd inetutils
zabbix | monitoring | 10050 10051 |  | zabbix
nrpe | monitoring | 5666 |  | nrpe nagios icinga icinga2
munin | monitoring | 4949 |  | munin munin-node
http | monitoring | 9090 |  | prometheus
http | monitoring | 3000 |  | grafana
http | monitoring | 9100 |  | node_exporter node-exporter
http | monitoring | 9093 |  | alertmanager
http | monitoring | 9091 |  | pushgateway
http | monitoring | 9104 |  | mysqld-exporter mysqld_exporter
http | monitoring | 9113 |  | nginx-exporter nginx-prometheus-exporter
http | monitoring | 9115 |  | blackbox-exporter blackbox_exporter
http | monitoring | 9121 |  | redis-exporter redis_exporter
http | monitoring | 9187 |  | postgres-exporter postgres_exporter
http | monitoring | 8080 |  | cadvisor
http | monitoring | 8428 |  | victoria-metrics victoriametrics
http | monitoring | 3100 |  | loki
http | monitoring | 16686 |  | jaeger
http | monitoring | 9411 |  | zipkin
http | monitoring | 19999 |  | netdata
http | monitoring | 9000 |  | portainer graylog
http | monitoring |  |  | exporter graphite
collectd | monitoring |  | 25826 | collectd
syslog | monitoring | 514 601 | 514 | syslog rsyslog syslog-ng
git | code | 9418 |  | git git-daemon
http | code | 3000 |  | gitea gogs forgejo
http | code | 80 |  | gitlab gitweb cgit
svn | code | 3690 |  | svn svnserve subversion
http | build | 8080 |  | jenkins
http | build | 8081 |  | nexus nexus3
http | build | 8082 |  | artifactory
http | build | 8111 |  | teamcity
http | build | 8010 |  | buildbot
http | build | 9000 |  | sonarqube
http | build | 5000 |  | registry
http | build | 4873 |  | verdaccio
http | build | 80 |  | drone
distccd | build | 3632 |  | distccd distcc
irc | chat | 6667 6697 |  | irc ircs ircd ngircd unrealircd inspircd
http | chat | 8065 |  | mattermost
xmpp-client | chat | 5222 5269 |  | xmpp prosody ejabberd jabber
sip | voice | 5060 | 5060 | sip asterisk kamailio freeswitch opensips
murmur | voice | 64738 |  | mumble murmur
ntp | time |  | 123 | ntp ntpd chrony chronyd ntpsec openntpd
daytime | time | 13 |  | daytime xinetd
ssh | remote | 22 |  | openssh ssh sshd dropbear tinyssh
ms-wbt-server | remote | 3389 |  | rdp xrdp ms-wbt-server
vnc | remote | 5900 5901 |  | vnc tigervnc x11vnc tightvnc vncserver
rpcbind | remote | 111 | 111 | rpcbind portmapper sunrpc
openvpn | remote | 1194 | 1194 | openvpn wireguard vpn
docker | remote | 2375 2376 |  | docker dockerd
http | remote | 2379 |  | etcd
http | remote | 8500 |  | consul
http | remote | 8200 |  | vault
http | remote |  |  | kubernetes kubelet
"""
"""Name, role, TCP ports, UDP ports, software; what is indented continues the row above.

A protocol has a row for each role; the first one's is that of a service of which only the protocol is known.
"""


def _protocols() -> Iterator[Protocol]:
    for row in _TABLE.strip().replace("\n    ", " ").splitlines():
        name, role, tcp, udp, software = (cell.split() for cell in row.split("|"))
        yield Protocol(name[0], role[0], tuple(map(int, tcp)), tuple(map(int, udp)), tuple(software))


_ROWS = tuple(_protocols())
PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({row.name: row for row in reversed(_ROWS)})
_BY_WORD = {word: row for row in _ROWS for word in row.software}
_BY_PORT = {
    (port, transport): row
    for row in reversed(_ROWS)
    for transport, ports in (("tcp", row.tcp), ("udp", row.udp))
    for port in ports
}
INSIDE_TLS: Mapping[str, str | None] = MappingProxyType(
    {
        "https": "http",
        "https-alt": "http",
        "smtps": "smtp",
        "imaps": "imap",
        "pop3s": "pop3",
        "ldaps": "ldap",
        "ldapssl": "ldap",
        "ftps": "ftp",
        "ircs": "irc",
        "ircs-u": "irc",
        "secure-mqtt": "mqtt",
        "amqps": "amqp",
        "ssl": None,
        "tls": None,
    }
)
"""Names for a protocol inside TLS → the protocol; None where the name says nothing else."""
TLS_PORTS = frozenset({443, 465, 636, 853, 993, 995, 5671, 6697, 8443, 8883, 9443})
"""TCP ports where people's tables mean TLS without saying so."""
_SPOKEN_WORDS = """
http https http-proxy socks socks5 smtp smtps submission esmtp imap imaps pop3 pop3s domain dns ldap
ldaps kerberos kerberos-sec microsoft-ds smb cifs netbios netbios-ssn netbios-ns nfs ftp ftps sftp tftp
rsync webdav iscsi ipp printer lpd jetdirect snmp telnet syslog git svn irc ircs xmpp xmpp-client sip ntp
daytime ssh rdp ms-wbt-server vnc rpcbind sunrpc vpn mqtt amqp ms-sql-s oracle-tns
"""
_SPOKEN = frozenset((*_SPOKEN_WORDS.split(), *INSIDE_TLS))
"""What names a protocol and no software, or both, so that it says little of what runs."""
_LAST_ROLES = ("monitoring", "network", "time", "remote")
"""Roles of what most hosts serve beside what they are for; later ones say less."""
_PURPOSE_NAMES = """
switch router firewall gateway printer camera phone hypervisor storage sensor controller balancer server
workstation desktop laptop
"""
_PURPOSES = frozenset(_PURPOSE_NAMES.split())
_PURPOSE_WORDS = {
    **dict.fromkeys(("ups", "pdu"), "power"),
    **dict.fromkeys(("ap", "wireless", "wlan", "wifi"), "radio"),
    **dict.fromkeys(("nas", "san"), "storage"),
    **dict.fromkeys(("esxi", "proxmox", "vmware"), "hypervisor"),
}
_WORDS = re.compile(r"[a-z0-9_]+(?:-[a-z0-9_]+)*")

_COMMON_WORDS = """
welcome page it works test ok index default login sign sign-in please dashboard status error not found
forbidden the and of for a an in on at to by with from server service services daemon client agent proxy
cache web www site app application api db database sql data main primary secondary master slave replica node
cluster host machine vm srv prod production dev development test testing stage staging qa lab demo internal
external public private local localhost localdomain lan dmz backup store key value broker queue message mail
mx relay imap pop smtp dns ns ntp time file files share print printer monitor monitoring log logs git build
ci runner chat voice vpn gateway router switch firewall core edge access rack home example invalid com net
org int corp io default enterprise community edition open source free open-source linux debian ubuntu
windows microsoft unix gnu bsd apache software foundation engine coyote jsp httpd ajp python java ruby perl
go rust erlang protocol version release container docker image alpine slim bookworm bullseye trixie ubuntu0
deb el nas san ups pdu camera phone desktop laptop workstation storage controller sensor admin management
console portal shop intranet wiki blog search index worker scheduler cron job jobs frontend backend auth
login sso ldap directory radius proxy1 cdn static media upload download update updates mirror repo registry
"""
"""Words of products' names and of people's names for hosts that say nothing about whose network it is."""
_COMMON = frozenset(_COMMON_WORDS.split())


def protocol_of(name: str | None, product: str | None, port: int, transport: str) -> Protocol | None:
    """Return the protocol of a service by its product, its name or, last, its port."""
    for text in (product, name):
        known = [word for word in words_of(text or "") if word in PROTOCOLS or word in _BY_WORD]
        if known:
            # Apache is the maker of much else.
            word = next((word for word in known if word != "apache"), known[0])
            return PROTOCOLS.get(word) or _BY_WORD[word]
    return _BY_PORT.get((port, transport)) if product is None and name in {None, "unknown"} else None


def default_port(product: str) -> int | None:
    """Return the TCP port where a product is served unless somebody chose another."""
    found = next((_BY_WORD[word] for word in words_of(product) if word in _BY_WORD), None)
    return found.tcp[0] if found is not None and found.tcp else None


def is_protocol(text: str) -> bool:
    """Whether a text that people wrote names what is spoken, e.g. `HTTPS`, and no product."""
    return text.strip().casefold() in _SPOKEN


def is_software(text: str) -> bool:
    """Whether a text is the name of software that everybody may run, and holds no other word."""
    return software_in(text) is not None and all(map(is_listed, words_of(text)))


def software_in(text: str) -> str | None:
    """Return the first word of a text that names software, as it stands there.

    >>> software_in("Pine Harbour's shop on PostgreSQL"), software_in("billing")
    ('PostgreSQL', None)
    """
    for word in words_of(text):
        if word in _BY_WORD or word in PROTOCOLS:
            start = text.casefold().find(word)
            return text[start : start + len(word)]
    return None


def is_common(word: str) -> bool:
    """Whether a word, in lower case, says nothing about whose network it is from."""
    return len(word) < 3 or word in _COMMON or word in _BY_WORD or word in PROTOCOLS


def is_listed(word: str) -> bool:
    """Whether a word, in lower case, is one of those listed here or a short number.

    Short words are listed too: two letters can be a company's, and digits a telephone's.
    """
    return (word.isdigit() and len(word) <= 4) or (
        word in _COMMON or word in _BY_WORD or word in PROTOCOLS or word in _SPOKEN
    )


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case, and the parts of those with hyphens.

    >>> words_of("Apache httpd (pure-ftpd)")
    ['apache', 'httpd', 'pure-ftpd', 'pure', 'ftpd']
    """
    found = _WORDS.findall(text.casefold())
    return [part for word in found for part in ([word, *word.split("-")] if "-" in word else [word])]


def role_of(protocols: list[Protocol | None], purpose: str | None) -> str:
    """Return the role of a host: what most of its services are for, else what people call it, else `host`."""
    counts = Counter(protocol.role if protocol is not None else "host" for protocol in protocols)
    telling = {role: count for role, count in counts.items() if role not in {*_LAST_ROLES, "host"}}
    if telling:
        return max(telling, key=lambda role: telling[role])
    named = _purpose(purpose or "")
    if named is not None:
        return named
    return next((role for role in _LAST_ROLES if role in counts), "host")


def _purpose(text: str) -> str | None:
    for word in words_of(text[:200]):
        singular = word.removesuffix("s") if word not in _PURPOSE_WORDS else word
        if singular in _PURPOSES:
            return singular
        if word in _PURPOSE_WORDS:
            return _PURPOSE_WORDS[word]
    return None
