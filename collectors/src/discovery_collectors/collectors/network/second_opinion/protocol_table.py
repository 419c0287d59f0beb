"""The questions beside HTTP: one small request of each protocol, and the answers that name a product.

None logs in or writes, and every one is what the protocol's own clients say first. A reviewed table.
"""

from discovery_collectors.collectors.network.second_opinion import protocol_bytes
from discovery_collectors.collectors.network.second_opinion.dns_question import DNS_QUESTION
from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    VERSION,
    ProtocolQuestion,
    Reading,
    ports,
)
from discovery_collectors.collectors.network.second_opinion.usual_port_table import USUAL_PORT_QUESTIONS

QUESTIONS: tuple[ProtocolQuestion, ...] = (
    ProtocolQuestion(
        "redis",
        (b"INFO server\r\n",),
        (
            Reading("Dragonfly", rb"dragonfly_version:(?:df-)?" + VERSION),
            Reading("Valkey", rb"valkey_version:" + VERSION),
            Reading("KeyDB", rb"redis_version:(?P<version>\d[\w.]{0,20}+)[\s\S]{0,2000}?keydb"),
            Reading("Redis key-value store", rb"^\$\d+\r\n[\s\S]{0,200}?redis_version:" + VERSION),
            Reading(
                "Redis key-value store",
                rb"^-(?:NOAUTH Authentication|DENIED Redis|NOPERM |ERR operation not)",
            ),
        ),
        ports(6379, 6380, 7000, 16379, 26379),
        whole=protocol_bytes.is_whole_redis,
    ),
    ProtocolQuestion(
        "version",
        (b"version\r\n",),
        (
            Reading("Memcached", rb"^VERSION " + VERSION, "memcached"),
            Reading("Gearman Job Queue System", rb"^OK " + VERSION + rb"\r?\n$", "gearman"),
        ),
        ports(11211, 4730),
        aliases=frozenset({"memcached", "memcache", "gearman"}),
    ),
    ProtocolQuestion(
        "postgresql",
        (protocol_bytes.POSTGRESQL,),
        (
            Reading(
                "PgFoundry PgBouncer PostgreSQL connection pooler",
                rb"^E[\s\S]{4}SFATAL\0(?:[\s\S]{0,40}?M(?:no username supplied|bad startup packet)"
                rb"|C08P01\0MSSL required\0\0)",
            ),
            Reading(
                "Pgpool-II",
                rb"^E[\s\S]{4}SFATAL\0[\s\S]{0,300}?\0F(?:(?:protocol/)?child|pcp_worker)\.c\0",
                refuted="PostgreSQL DB",
            ),
            Reading("PostgreSQL DB", rb"^E[\s\S]{4}SFATAL\0[\s\S]{0,60}?Mno PostgreSQL user name"),
            # In other languages; without it, one of the many others that speak the protocol.
            Reading("PostgreSQL DB", rb"^E[\s\S]{4}S[\s\S]{0,600}?\0RProcessStartupPacket\0"),
            Reading("", rb"^E[\s\S]{4}S(?:FATAL|ERROR)\0", refuted="PostgreSQL DB"),
        ),
        ports(5432, 5433, 6432),
        aliases=frozenset({"pgbouncer"}),
        whole=protocol_bytes.is_whole_postgresql,
    ),
    ProtocolQuestion(
        "mongodb",
        (protocol_bytes.mongodb(),),
        (
            Reading("FerretDB", rb"\x02ferretdb(?:Version)?\0[\s\S]{4}" + VERSION),
            Reading(
                "MongoDB", rb"^[\s\S]{8}\x01\0\0\0\xdd\x07\0\0[\s\S]{0,200}?\x02version\0[\s\S]{4}" + VERSION
            ),
            Reading("MongoDB", rb"^[\s\S]{8}\x01\0\0\0\xdd\x07\0\0"),
        ),
        ports(27017, 27018, 27019),
        aliases=frozenset({"mongod"}),
        whole=protocol_bytes.is_whole_mongodb,
    ),
    ProtocolQuestion(
        "ldap",
        (protocol_bytes.ldap(),),
        (
            Reading("OpenLDAP", rb"OpenLDAProotDSE"),
            # Its refusals before a login (`require authc`, `require strong`) and without TLS (`security`).
            Reading(
                "OpenLDAP",
                rb"^\x30[\s\S]\x02\x01\x07\x65[\s\S]\x0a\x01"
                rb"(?:[\x08\x35]\x04\0\x04[\s\S](?:strong\(er\) )?authentication required"
                rb"|\x0d\x04\0\x04[\s\S](?:stronger )?(?:TLS |transport |SASL )?confidentiality required)",
            ),
            Reading("389 Directory Server", rb"389-Directory/" + VERSION),
            Reading("ApacheDS", rb"Apache Software Foundation"),
            Reading(
                "Samba",
                rb"\x04[\s\S]Samba Team[\s\S]{1,60}?vendorVersion1[\s\S]\x04[\s\S](?P<version>\d[\d.]{0,20})",
            ),
            Reading("", rb"^\x30[\s\S]{1,5}\x02\x01\x07[\x64\x65]"),
        ),
        ports(389, 636, 3268, 3269),
        aliases=frozenset({"ldaps", "ldapssl"}),
    ),
    DNS_QUESTION,
    ProtocolQuestion(
        "mqtt",
        protocol_bytes.mqtt(),
        (
            Reading("mosquitto", rb"\$SYS/broker/versionmosquitto version " + VERSION),
            Reading("", rb"^(?:\x20\x02[\0\x01][\0-\x05]|\x90\x03\0\x01)"),
        ),
        ports(1883, 8883),
    ),
    ProtocolQuestion(
        "zookeeper",
        (b"srvr",),
        (
            Reading("Zookeeper", rb"^Zookeeper version: (?P<version>\d[\d.]{0,20})"),
            Reading("Zookeeper", rb"^(?:srvr is not executed|This ZooKeeper instance is not currently)"),
        ),
        ports(2181),
    ),
    ProtocolQuestion(
        "amqp",
        (b"AMQP\0\0\x09\x01",),
        (
            Reading(
                "RabbitMQ",
                rb"\x07productS\0\0\0\x08RabbitMQ[\s\S]{0,200}?\x07versionS\0\0\0[\s\S]" + VERSION,
            ),
            Reading("RabbitMQ", rb"\x07productS\0\0\0\x08RabbitMQ"),
            Reading("", rb"^AMQP|^\x01\0\0[\s\S]{4}\0\x0a\0\x0a"),
        ),
        ports(5671, 5672),
        aliases=frozenset({"amqps"}),
    ),
    ProtocolQuestion(
        "zabbix",
        (b"ZBXD\x01\x0d\0\0\0\0\0\0\0agent.version",),
        (Reading("Zabbix agent", rb"^ZBXD\x01[\s\S]{8}" + VERSION), Reading("Zabbix", rb"^ZBXD\x01")),
        ports(10050, 10051),
        aliases=frozenset({"zabbix-agent"}),
    ),
    # Servers and proxies know no items; they state their numbers, or refuse to.
    ProtocolQuestion(
        "zabbix-trapper",
        (b'ZBXD\x01\x1a\0\0\0\0\0\0\0{"request":"zabbix.stats"}',),
        (Reading("Zabbix", rb'^ZBXD\x01[\s\S]{8}\{"response":"'),),
        ports(10051),
    ),
    ProtocolQuestion(
        "git",
        (b"001dgit-upload-pack /\0host=x\0",),
        (Reading("git-daemon", rb"^[0-9a-f]{4}ERR "), Reading("git-daemon", rb"^[0-9a-f]{4}[0-9a-f]{40} ")),
        ports(9418),
    ),
    ProtocolQuestion(
        "sip",
        (protocol_bytes.SIP,),
        (
            Reading("Kamailio sipd", rb"(?i)\r\n(?:Server|User-Agent): *kamailio \(" + VERSION),
            Reading("Asterisk", rb"(?i)\r\n(?:Server|User-Agent): *Asterisk(?: PBX)?(?: " + VERSION + rb")?"),
            Reading(
                "FreeSWITCH", rb"(?i)\r\n(?:Server|User-Agent): *FreeSWITCH(?:-mod_sofia/" + VERSION + rb")?"
            ),
            # How it marks an answer that it keeps no state of, whatever it calls itself (measured, 6.0).
            Reading("Kamailio sipd", rb"\r\nTo: [^\r\n]{1,200};tag=[0-9a-f]{32}\.[0-9a-f]{4}0000\r\n"),
            Reading("OpenSIPS", rb"(?i)\r\n(?:Server|User-Agent): *OpenSIPS \(" + VERSION),
            Reading("", rb"^SIP/2\.0 \d{3} "),
        ),
        ports(5060, 5061, 5080),
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
            # The order of its attributes, and its id.
            Reading(
                "jabberd2",
                rb"<stream:stream xmlns:stream='http://etherx\.jabber\.org/streams'"
                rb" xmlns='jabber:[a-z:]{1,20}'(?: (?:from|to)='[^']{0,100}'){0,2}"
                rb" version='1\.0' id='[0-9a-z]{40}'",
            ),
            Reading("", rb"<stream:(?:stream|error)"),
        ),
        ports(5222, 5269),
        aliases=frozenset({"jabber", "xmpp-client", "xmpp-server"}),
    ),
    ProtocolQuestion(
        "stun",
        (protocol_bytes.STUN,),
        (
            Reading("Coturn", rb"\x80\x22[\s\S]{2}(?i:coturn)-" + VERSION),
            Reading("", rb"^\x01[\x01\x11][\s\S]{2}\x21\x12\xa4\x42discovery001"),
        ),
        ports(3478, 3479, 5349),
    ),
    ProtocolQuestion(
        "cassandra",
        (protocol_bytes.CASSANDRA,),
        (
            Reading("ScyllaDB", rb"^[\x83-\x85][\s\S]{8}[\s\S]{0,600}?SCYLLA_"),
            Reading("Apache Cassandra", rb"^[\x83-\x85][\s\S]{8}[\s\S]{0,600}?CQL_VERSION"),
        ),
        ports(9042, 9142),
    ),
    ProtocolQuestion(
        "kafka",
        (protocol_bytes.KAFKA,),
        (Reading("Apache Kafka", rb"^\0\0[\s\S]{2}\0\0\0\x2a\0\0\0\0\0[\s\S]\0\0\0"),),
        ports(9092, 9093, 9094),
    ),
    ProtocolQuestion(
        "ms-wbt-server",
        (protocol_bytes.RDP,),
        (Reading("", rb"^\x03\0\0[\s\S]{1,2}\xd0"),),
        ports(3389),
    ),
    ProtocolQuestion(
        "socks5",
        (b"\x05\x01\0",),
        (Reading("", rb"^\x05[\0\xff]$"),),
        ports(1080, 9050),
    ),
    ProtocolQuestion(
        "openvpn",
        (protocol_bytes.OPENVPN,),
        (Reading("OpenVPN", rb"^\0[\x1a-\x3f]\x40[\s\S]{8}\x01\0{4}discover"),),
        ports(1194),
    ),
    ProtocolQuestion(
        "epmd",
        (b"\0\x01n",),
        (Reading("Erlang Port Mapper Daemon", rb"^\0\0[\x04-\xff][\s\S](?:name |$)"),),
        ports(4369),
    ),
    # A node listens on whatever port is free, and tells only its epmd which.
    ProtocolQuestion(
        "erlang-node",
        (protocol_bytes.ERLANG_NODE,),
        (Reading("Erlang Distribution Node", rb"^\0[\s\S]s(?:ok|not_allowed|alive|nok)"),),
        ports(25672),
    ),
    ProtocolQuestion(
        "firebird",
        (protocol_bytes.FIREBIRD,),
        (
            Reading("Firebird RDBMS", rb"^\0\0\0\x03\0\0\0\x0a\0\0\0\x01"),
            Reading("Firebird RDBMS", rb"^\0\0\0[\x5c\x5e\x62]\0\0\0[\0\x0a]"),
        ),
        ports(3050),
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
        ports(9000),
    ),
    ProtocolQuestion(
        "afp",
        (protocol_bytes.AFP,),
        (
            Reading("Netatalk", rb"^\x01\x03\0\x01[\s\S]{12}[\s\S]{0,80}?[\x08-\x20]Netatalk" + VERSION),
            Reading("", rb"^\x01\x03\0\x01\0{4}[\s\S]{8}[\s\S]{0,200}?AFP[X23]"),
        ),
        ports(548),
    ),
    ProtocolQuestion(
        "ajp13", (b"\x12\x34\0\x01\x0a",), (Reading("Apache Jserv", rb"^AB\0\x01\x09$"),), ports(8009)
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
        ports(6640, 6641, 6642),
    ),
    *USUAL_PORT_QUESTIONS,
)
