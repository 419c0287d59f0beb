"""The questions beside HTTP: one small request of each protocol, and the answers that name a product.

None logs in or writes, and every one is what the protocol's own clients say first. A reviewed table.
"""

from collections.abc import Callable
from typing import NamedTuple

from discovery_collectors.collectors.network.second_opinion import protocol_bytes

_VERSION = rb"v?(?P<version>\d[\w.+~-]{0,30})"


class Reading(NamedTuple):
    """What an answer that fits shows; searched anywhere in it, the first that fits holds."""

    product: str
    """Empty: the protocol is shown, no product."""
    pattern: bytes
    """With a group `version` where the answer states it."""
    protocol: str = ""
    """Where one question serves several protocols: which it is."""
    refuted: str = ""
    """The product that does not answer so, whatever nmap takes it for."""


class ProtocolQuestion(NamedTuple):
    """One protocol's question."""

    name: str
    """The protocol as nmap calls it; the question is the first for ports that nmap calls so."""
    send: tuple[bytes, ...]
    """Each once the one before is answered; the last answer is read."""
    readings: tuple[Reading, ...]
    ports: frozenset[int] = frozenset()
    """Where it is asked before others."""
    anywhere: bool = True
    """Asked at other ports too, in the table's order, as long as the port's time lasts."""
    aliases: frozenset[str] = frozenset()
    """Other names that nmap has for the protocol."""
    uncertified: bool = False
    """Asked at any port, too, that speaks TLS without a certificate."""
    whole: Callable[[bytes], bool] | None = None
    """Whether an answer is complete; without it, it is once nothing more comes for a while."""


def _ports(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


_CAPABILITY = rb"^:\S{1,100} CAP \* LS [^\r\n]{0,2000}?[ :]"
_IN_TXT = rb"\0\x10\0\x03[\s\S]{6}[\s\S]"

QUESTIONS: tuple[ProtocolQuestion, ...] = (
    ProtocolQuestion(
        "redis",
        (b"INFO server\r\n",),
        (
            Reading("Dragonfly", rb"dragonfly_version:(?:df-)?" + _VERSION),
            Reading("Valkey", rb"valkey_version:" + _VERSION),
            Reading("KeyDB", rb"redis_version:(?P<version>\d[\w.]{0,20}+)[\s\S]{0,2000}?keydb"),
            Reading("Redis key-value store", rb"^\$\d+\r\n[\s\S]{0,200}?redis_version:" + _VERSION),
            Reading(
                "Redis key-value store",
                rb"^-(?:NOAUTH Authentication|DENIED Redis|NOPERM |ERR operation not)",
            ),
        ),
        _ports(6379, 6380, 7000, 16379, 26379),
        whole=protocol_bytes.is_whole_redis,
    ),
    ProtocolQuestion(
        "version",
        (b"version\r\n",),
        (
            Reading("Memcached", rb"^VERSION " + _VERSION, "memcached"),
            Reading("Gearman Job Queue System", rb"^OK " + _VERSION + rb"\r?\n$", "gearman"),
        ),
        _ports(11211, 4730),
        aliases=frozenset({"memcached", "memcache", "gearman"}),
    ),
    ProtocolQuestion(
        "postgresql",
        (protocol_bytes.POSTGRESQL,),
        (
            Reading(
                "PgFoundry PgBouncer PostgreSQL connection pooler",
                rb"^E[\s\S]{4}SFATAL\0[\s\S]{0,40}?M(?:no username supplied|bad startup packet)",
            ),
            Reading(
                "Pgpool-II",
                rb"^E[\s\S]{4}SFATAL\0[\s\S]{0,300}?\0F(?:protocol/)?child\.c\0",
                refuted="PostgreSQL DB",
            ),
            Reading("PostgreSQL DB", rb"^E[\s\S]{4}SFATAL\0[\s\S]{0,60}?Mno PostgreSQL user name"),
            # In other languages; without it, one of the many others that speak the protocol.
            Reading("PostgreSQL DB", rb"^E[\s\S]{4}S[\s\S]{0,600}?\0RProcessStartupPacket\0"),
            Reading("", rb"^E[\s\S]{4}S(?:FATAL|ERROR)\0", refuted="PostgreSQL DB"),
        ),
        _ports(5432, 5433, 6432),
        aliases=frozenset({"pgbouncer"}),
        whole=protocol_bytes.is_whole_postgresql,
    ),
    ProtocolQuestion(
        "mongodb",
        (protocol_bytes.mongodb(),),
        (
            Reading("FerretDB", rb"\x02ferretdb(?:Version)?\0[\s\S]{4}" + _VERSION),
            Reading(
                "MongoDB", rb"^[\s\S]{8}\x01\0\0\0\xdd\x07\0\0[\s\S]{0,200}?\x02version\0[\s\S]{4}" + _VERSION
            ),
            Reading("MongoDB", rb"^[\s\S]{8}\x01\0\0\0\xdd\x07\0\0"),
        ),
        _ports(27017, 27018, 27019),
        aliases=frozenset({"mongod"}),
        whole=protocol_bytes.is_whole_mongodb,
    ),
    ProtocolQuestion(
        "ldap",
        (protocol_bytes.ldap(),),
        (
            Reading("OpenLDAP", rb"OpenLDAProotDSE"),
            Reading("389 Directory Server", rb"389-Directory/" + _VERSION),
            Reading("ApacheDS", rb"Apache Software Foundation"),
            Reading("", rb"^\x30[\s\S]{1,5}\x02\x01\x07[\x64\x65]"),
        ),
        _ports(389, 636, 3268, 3269),
        aliases=frozenset({"ldaps", "ldapssl"}),
    ),
    ProtocolQuestion(
        "domain",
        (protocol_bytes.DNS,),
        (
            Reading("dnsmasq", _IN_TXT + rb"dnsmasq-" + _VERSION),
            Reading("Unbound", _IN_TXT + rb"unbound " + _VERSION),
            Reading("PowerDNS Recursor", _IN_TXT + rb"PowerDNS Recursor " + _VERSION),
            Reading("PowerDNS Authoritative Server", _IN_TXT + rb"PowerDNS Authoritative Server " + _VERSION),
            Reading("cz.nic Knot DNS", _IN_TXT + rb"Knot DNS " + _VERSION),
            Reading("gdnsd", _IN_TXT + rb"gdnsd/" + _VERSION),
            Reading("NLnet Labs NSD", _IN_TXT + rb"NSD " + _VERSION),
            Reading("ISC BIND", _IN_TXT + rb"(?P<version>9\.\d{1,2}\.\d{1,3}[\w.+~-]{0,30})"),
            Reading("", rb"^[\s\S]{2}JJ[\x80-\xff]"),
        ),
        _ports(53, 5353, 853),
    ),
    ProtocolQuestion(
        "mqtt",
        protocol_bytes.mqtt(),
        (
            Reading("mosquitto", rb"\$SYS/broker/versionmosquitto version " + _VERSION),
            Reading("", rb"^(?:\x20\x02[\0\x01][\0-\x05]|\x90\x03\0\x01)"),
        ),
        _ports(1883, 8883),
    ),
    ProtocolQuestion(
        "zookeeper",
        (b"srvr",),
        (
            Reading("Zookeeper", rb"^Zookeeper version: (?P<version>\d[\d.]{0,20})"),
            Reading("Zookeeper", rb"^(?:srvr is not executed|This ZooKeeper instance is not currently)"),
        ),
        _ports(2181),
    ),
    ProtocolQuestion(
        "amqp",
        (b"AMQP\0\0\x09\x01",),
        (
            Reading(
                "RabbitMQ",
                rb"\x07productS\0\0\0\x08RabbitMQ[\s\S]{0,200}?\x07versionS\0\0\0[\s\S]" + _VERSION,
            ),
            Reading("RabbitMQ", rb"\x07productS\0\0\0\x08RabbitMQ"),
            Reading("", rb"^AMQP|^\x01\0\0[\s\S]{4}\0\x0a\0\x0a"),
        ),
        _ports(5671, 5672),
        aliases=frozenset({"amqps"}),
    ),
    ProtocolQuestion(
        "zabbix",
        (b"ZBXD\x01\x0d\0\0\0\0\0\0\0agent.version",),
        (Reading("Zabbix agent", rb"^ZBXD\x01[\s\S]{8}" + _VERSION), Reading("Zabbix", rb"^ZBXD\x01")),
        _ports(10050, 10051),
        aliases=frozenset({"zabbix-agent"}),
    ),
    # Servers and proxies know no items; they state their numbers, or refuse to.
    ProtocolQuestion(
        "zabbix-trapper",
        (b'ZBXD\x01\x1a\0\0\0\0\0\0\0{"request":"zabbix.stats"}',),
        (Reading("Zabbix", rb'^ZBXD\x01[\s\S]{8}\{"response":"'),),
        _ports(10051),
    ),
    ProtocolQuestion(
        "nrpe",
        (protocol_bytes.nrpe(),),
        (Reading("Nagios NRPE", rb"^\0[\x02-\x04]\0\x02[\s\S]{6,10}NRPE v" + _VERSION),),
        _ports(5666),
        anywhere=False,
        uncertified=True,
    ),
    ProtocolQuestion(
        "git",
        (b"001dgit-upload-pack /\0host=x\0",),
        (Reading("git-daemon", rb"^[0-9a-f]{4}ERR "), Reading("git-daemon", rb"^[0-9a-f]{4}[0-9a-f]{40} ")),
        _ports(9418),
    ),
    ProtocolQuestion(
        "sip",
        (protocol_bytes.SIP,),
        (
            Reading("Kamailio sipd", rb"(?i)\r\n(?:Server|User-Agent): *kamailio \(" + _VERSION),
            Reading(
                "Asterisk", rb"(?i)\r\n(?:Server|User-Agent): *Asterisk(?: PBX)?(?: " + _VERSION + rb")?"
            ),
            Reading(
                "FreeSWITCH", rb"(?i)\r\n(?:Server|User-Agent): *FreeSWITCH(?:-mod_sofia/" + _VERSION + rb")?"
            ),
            Reading("OpenSIPS", rb"(?i)\r\n(?:Server|User-Agent): *OpenSIPS \(" + _VERSION),
            Reading("", rb"^SIP/2\.0 \d{3} "),
        ),
        _ports(5060, 5061, 5080),
        aliases=frozenset({"sip-proxy", "sips"}),
    ),
    ProtocolQuestion(
        "xmpp",
        (protocol_bytes.XMPP,),
        (
            Reading("ejabberd", rb"<stream:stream id='\d{6,20}' version='1\.0' xml:lang='en'"),
            Reading(
                "Prosody Jabber server", rb"<stream:stream[^>]{0,300} id='(?:[0-9a-f]{8}-[0-9a-f-]{20,30}|)'"
            ),
            Reading("", rb"<stream:(?:stream|error)"),
        ),
        _ports(5222, 5269),
        aliases=frozenset({"jabber", "xmpp-client", "xmpp-server"}),
    ),
    ProtocolQuestion(
        "stun",
        (protocol_bytes.STUN,),
        (
            Reading("Coturn", rb"\x80\x22[\s\S]{2}(?i:coturn)-" + _VERSION),
            Reading("", rb"^\x01[\x01\x11][\s\S]{2}\x21\x12\xa4\x42discovery001"),
        ),
        _ports(3478, 3479, 5349),
    ),
    ProtocolQuestion(
        "cassandra",
        (protocol_bytes.CASSANDRA,),
        (
            Reading("ScyllaDB", rb"^[\x83-\x85][\s\S]{8}[\s\S]{0,600}?SCYLLA_"),
            Reading("Apache Cassandra", rb"^[\x83-\x85][\s\S]{8}[\s\S]{0,600}?CQL_VERSION"),
        ),
        _ports(9042, 9142),
    ),
    ProtocolQuestion(
        "kafka",
        (protocol_bytes.KAFKA,),
        (Reading("Apache Kafka", rb"^\0\0[\s\S]{2}\0\0\0\x2a\0\0\0\0\0[\s\S]\0\0\0"),),
        _ports(9092, 9093, 9094),
    ),
    ProtocolQuestion(
        "ms-wbt-server",
        (protocol_bytes.RDP,),
        (Reading("", rb"^\x03\0\0[\s\S]{1,2}\xd0"),),
        _ports(3389),
    ),
    ProtocolQuestion(
        "socks5",
        (b"\x05\x01\0",),
        (Reading("", rb"^\x05[\0\xff]$"),),
        _ports(1080, 9050),
    ),
    ProtocolQuestion(
        "openvpn",
        (protocol_bytes.OPENVPN,),
        (Reading("OpenVPN", rb"^\0[\x1a-\x3f]\x40[\s\S]{8}\x01\0{4}discover"),),
        _ports(1194),
    ),
    ProtocolQuestion(
        "irc",
        (b"CAP LS 302\r\n",),
        (
            Reading("soju", rb"^:\S{1,100} CAP \* LS [^\r\n]{0,2000}?[ :]soju\.im/bouncer-networks[ =\r\n]"),
            # Capabilities of their own are named by their vendors (IRCv3, "Capability Negotiation").
            Reading("Ergo", _CAPABILITY + rb"ergo\.chat/"),
            Reading("InspIRCd", _CAPABILITY + rb"inspircd\.org/"),
            Reading("UnrealIRCd", _CAPABILITY + rb"unrealircd\.org/"),
            Reading("Solanum", _CAPABILITY + rb"solanum\.chat/"),
            Reading("", rb"^:\S{1,100} CAP \* LS "),
        ),
        _ports(6667, 6697),
        anywhere=False,
    ),
    ProtocolQuestion(
        "epmd",
        (b"\0\x01n",),
        (Reading("Erlang Port Mapper Daemon", rb"^\0\0[\x04-\xff][\s\S](?:name |$)"),),
        _ports(4369),
    ),
    ProtocolQuestion(
        "firebird",
        (protocol_bytes.FIREBIRD,),
        (
            Reading("Firebird RDBMS", rb"^\0\0\0\x03\0\0\0\x0a\0\0\0\x01"),
            Reading("Firebird RDBMS", rb"^\0\0\0[\x5c\x5e\x62]\0\0\0[\0\x0a]"),
        ),
        _ports(3050),
        aliases=frozenset({"gds_db"}),
    ),
    ProtocolQuestion(
        "fastcgi",
        (protocol_bytes.FASTCGI,),
        (
            # PHP alone knows but one of the three.
            Reading("PHP-FPM", rb"^\x01\x0a\0\0\0\x12[\s\S]\0\x0f\x01FCGI_MPXS_CONNS0"),
            Reading("", rb"^\x01\x0a\0\0[\s\S]{4}[\s\S]{0,60}?FCGI_M"),
        ),
        _ports(9000),
    ),
    ProtocolQuestion(
        "rpcbind",
        (protocol_bytes.RPCBIND,),
        (Reading("rpcbind", rb"^\x80\0\0\x18disc\0\0\0\x01\0{16}$"),),
        _ports(111),
        anywhere=False,
    ),
    ProtocolQuestion(
        "glusterd",
        (protocol_bytes.GLUSTER,),
        (Reading("GlusterFS", rb"^\x80[\s\S]{3}disc\0\0\0\x01\0{16,64}\x01\0\0\0\x07GF-DUMP\0"),),
        _ports(24007, 49152),
        anywhere=False,
    ),
    ProtocolQuestion(
        "moosefs",
        (b"\0\0\0\x0a\0\0\0\0",),
        (Reading("MooseFS", rb"^\0\0\0\x0b\0\0\0[\x05-\x40][\s\S]{4}" + _VERSION),),
        _ports(9419, 9420, 9421, 9422),
        anywhere=False,
    ),
    ProtocolQuestion(
        "indi",
        (b'<getProperties version="1.7"/>\n',),
        (
            Reading(
                "INDI server", rb"^\s{0,4}<def(?:Text|Number|Switch|Light|BLOB)Vector\s[\s\S]{0,40}?device="
            ),
        ),
        _ports(7624),
        anywhere=False,
    ),
    ProtocolQuestion(
        "owserver",
        (protocol_bytes.OWSERVER,),
        (
            Reading(
                "owserver", rb"^\0{4}\0\0\0[\x01-\x20](?:\0\0\0[\x01-\x20])[\s\S]{8}\0{3}[\s\S]" + _VERSION
            ),
        ),
        _ports(4304),
        anywhere=False,
    ),
    ProtocolQuestion(
        "i2p-sam",
        (b"HELLO VERSION\n",),
        (Reading("I2P SAM bridge", rb"^HELLO REPLY RESULT=(?:OK VERSION=\d|NOVERSION)"),),
        _ports(7656),
        anywhere=False,
    ),
    ProtocolQuestion(
        "yggdrasil-admin",
        (b'{"request":"getSelf"}\n',),
        (Reading("Yggdrasil", rb'"build_name": ?"yggdrasil",\s{0,20}"build_version": ?"' + _VERSION),),
        _ports(9001),
        anywhere=False,
    ),
    ProtocolQuestion(
        "bep-relay",
        (bytes.fromhex("9e79bc400000000000000000"),),
        (Reading("Syncthing relay", rb"^\x9e\x79\xbc\x40\0\0\0[\x01\x04]\0\0\0"),),
        _ports(22067),
        anywhere=False,
    ),
    ProtocolQuestion(
        "libvirt-rpc",
        (protocol_bytes.LIBVIRT,),
        (Reading("libvirt", rb"^\0\0[\s\S]{2}\x20\0\x80\x86\0\0\0\x01\0\0\0\x42\0\0\0\x01"),),
        _ports(16509, 16514),
        anywhere=False,
    ),
    ProtocolQuestion(
        "erlang-node",
        (protocol_bytes.ERLANG_NODE,),
        (Reading("Erlang Distribution Node", rb"^\0[\s\S]s(?:ok|not_allowed|alive|nok)"),),
        _ports(25672),
        anywhere=False,
    ),
    ProtocolQuestion(
        "ms-sql-s",
        (protocol_bytes.SQL_SERVER,),
        (Reading("Microsoft SQL Server", rb"^\x04\x01\0[\s\S]{5}\0\0[\s\S]{2}\0\x06"),),
        _ports(1433, 1434),
        anywhere=False,
    ),
    ProtocolQuestion(
        "nut",
        (b"VER\n",),
        (Reading("Network UPS Tools upsd", rb"^Network UPS Tools upsd " + _VERSION),),
        _ports(3493),
        anywhere=False,
    ),
    ProtocolQuestion(
        "ovsdb",
        (b'{"id":0,"method":"list_dbs","params":[]}',),
        (
            Reading(
                "Open vSwitch database server",
                rb'"result":\["[\w",]{0,200}\b(?:_Server|Open_vSwitch|OVN_\w+)"',
            ),
        ),
        _ports(6640, 6641, 6642),
    ),
    ProtocolQuestion(
        "quassel",
        (b"\x42\xb3\x3f\0\0\0\0\x02\x80\0\0\x01",),
        (Reading("Quassel IRC core", rb"^[\0-\x03]\0\0[\x01\x02]$"),),
        _ports(4242, 4243),
        anywhere=False,
    ),
    ProtocolQuestion(
        "munin",
        (b"version\n",),
        (Reading("Munin", rb"munins? node on \S{1,100} version: " + _VERSION),),
        _ports(4949),
        anywhere=False,
    ),
    ProtocolQuestion(
        "beanstalk",
        (b"stats\r\n",),
        (Reading("Beanstalk", rb"^OK \d+\r\n[\s\S]{0,2000}?\nversion: \"?" + _VERSION),),
        _ports(11300),
        anywhere=False,
    ),
    ProtocolQuestion(
        "clamd", (b"nVERSION\n",), (Reading("ClamAV", rb"^ClamAV " + _VERSION),), _ports(3310), anywhere=False
    ),
)
