"""The questions that are asked only where their services listen, were moved to, or were heard.

None logs in or writes, and every one is what the protocol's own clients say first. A reviewed table.
"""

from discovery_collectors.collectors.network.second_opinion import protocol_bytes
from discovery_collectors.collectors.network.second_opinion.cluster_questions import CLUSTER_QUESTIONS
from discovery_collectors.collectors.network.second_opinion.file_questions import FILE_QUESTIONS
from discovery_collectors.collectors.network.second_opinion.kerberos_questions import KERBEROS_QUESTIONS
from discovery_collectors.collectors.network.second_opinion.log_questions import LOG_QUESTIONS
from discovery_collectors.collectors.network.second_opinion.mail_questions import MAIL_QUESTIONS
from discovery_collectors.collectors.network.second_opinion.peer_questions import PEER_QUESTIONS
from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    VERSION,
    ProtocolQuestion,
    Reading,
    ports,
    usual_port_question,
)

_CAPABILITY = rb"^:\S{1,100} CAP \* LS [^\r\n]{0,2000}?[ :]"
_ACCEPTED = rb"^\x80\0\0\x18disc\0\0\0\x01\0{16}$"
"""A call of ONC RPC that was carried out and returned nothing (RFC 5531, section 9)."""
_PPTP_REPLY = rb"^\0\x9c\0\x01\x1a\x2b\x3c\x4d\0\x02[\s\S]{18}"
"""Start-Control-Connection-Reply, up to the host's name (RFC 2637, section 2.2)."""

USUAL_PORT_QUESTIONS: tuple[ProtocolQuestion, ...] = (
    usual_port_question(
        "nrpe",
        (protocol_bytes.nrpe(),),
        (Reading("Nagios NRPE", rb"^\0[\x02-\x04]\0\x02[\s\S]{6,10}NRPE v" + VERSION),),
        ports(5666),
        uncertified=True,
    ),
    usual_port_question(
        "irc",
        (b"CAP LS 302\r\n",),
        (
            Reading("WeeChat relay", rb"^:weechat\.relay\.irc CAP "),
            Reading("soju", rb"^:\S{1,100} CAP \* LS [^\r\n]{0,2000}?[ :]soju\.im/bouncer-networks[ =\r\n]"),
            # Capabilities of their own are named by their vendors (IRCv3, "Capability Negotiation").
            Reading("Ergo", _CAPABILITY + rb"ergo\.chat/"),
            Reading("InspIRCd", _CAPABILITY + rb"inspircd\.org/"),
            Reading("UnrealIRCd", _CAPABILITY + rb"unrealircd\.org/"),
            Reading("Solanum", _CAPABILITY + rb"solanum\.chat/"),
            Reading("", rb"^:\S{1,100} CAP \* LS "),
        ),
        ports(6667, 6697),
    ),
    *MAIL_QUESTIONS,
    *FILE_QUESTIONS,
    *KERBEROS_QUESTIONS,
    *CLUSTER_QUESTIONS,
    *PEER_QUESTIONS,
    *LOG_QUESTIONS,
    usual_port_question(
        "msrpc",
        (protocol_bytes.MSRPC,),
        (
            Reading(
                "Microsoft Windows RPC", rb"^\x05\0\x0c\x03[\s\S]{24,50}\x01\0\0\0\0\0\0\0\x33\x05\x71\x71"
            ),
            # The one syntax is not supported: Samba, and Windows of 32 bits.
            Reading(
                "",
                rb"^\x05\0\x0c\x03[\s\S]{24,50}\x01\0\0\0\x02\0\x02\0\0{20}$",
                refuted="Microsoft Windows RPC",
            ),
        ),
        ports(135),
    ),
    usual_port_question(
        "pcp-pgpool",
        (b"M\0\0\0\x04",),
        # Four random bytes, which clients mix into their passwords.
        (Reading("Pgpool-II", rb"^m\0\0\0\x08[\s\S]{4}$"),),
        ports(9898),
    ),
    usual_port_question(
        "rabbitmq-stream",
        (b"\0\0\0\x0c\0\x11\0\x01\0\0\0\x01\0\0\0\0",),
        (Reading("RabbitMQ", rb"^\0\0[\s\S]{2}\x80\x11\0\x01[\s\S]{0,900}?\0\x07version\0[\s\S]" + VERSION),),
        ports(5551, 5552),
    ),
    usual_port_question(
        "stomp",
        # No broker knows such a version, so that none looks for a login.
        (b"CONNECT\naccept-version:9.9\nhost:/\n\n\0",),
        (
            Reading("Apache ActiveMQ", rb"^ERROR\n[\s\S]{0,600}?\borg\.apache\.activemq\.transport\.stomp\."),
            Reading(
                "RabbitMQ",
                rb"^ERROR\nmessage:Version mismatch\ncontent-type:text/plain\nversion:1\.0,1\.1,1\.2\n"
                rb"content-length:\d{1,3}\n\nSupported versions are ",
            ),
            Reading("", rb"^ERROR\n(?:[\w-]{1,40}:[^\n]{0,300}\n){1,8}"),
        ),
        ports(61613, 61614),
    ),
    usual_port_question(
        "dicom",
        (protocol_bytes.dicom(),),
        (
            Reading("DCMTK", rb"^\x02\0\0\0[\s\S]{6}[\s\S]{1,1000}?\x55\0\0[\s\S]OFFIS_DCMTK_"),
            Reading(
                "", rb"^(?:\x02\0\0\0[\s\S]{2}\0\x01\0\0ANY-SCP {9}|\x03\0\0\0\0\x04\0[\1\2][\1-\3][\s\S]$)"
            ),
        ),
        ports(104, 11112),
    ),
    usual_port_question(
        "usbip",
        (b"\x01\x11\x80\x05\0\0\0\0",),
        (Reading("usbipd", rb"^\x01\x11\0\x05\0\0\0[\0\1]"),),
        ports(3240),
    ),
    usual_port_question(
        "bzfs",
        (b"BZFLAG\r\n\r\n",),
        (Reading("BZFlag game server", rb"^BZFS\d{4}[\0-\xff]$"),),
        ports(5154),
    ),
    usual_port_question(
        "wesnoth",
        (b"\0\0\0\0",),
        # The connection's number; then a document, which is compressed and asks for the version.
        (
            Reading(
                "Battle For Wesnoth game server",
                rb"^\0\0[\s\S]{2}\0\0\0[\s\S]\x1f\x8b\x08\0{6}\xff\x8b\x2e\x4b-\*",
            ),
        ),
        ports(15000),
    ),
    usual_port_question(
        "weechat",
        (b"(disc) handshake\n",),
        (Reading("WeeChat relay", rb"^\0\0[\s\S]{2}\0\0\0\0\x04dischtb[\s\S]{1,20}\x12password_hash_algo"),),
        ports(9000),
    ),
    usual_port_question(
        "rpcbind",
        (protocol_bytes.RPCBIND,),
        (Reading("rpcbind", _ACCEPTED),),
        ports(111),
    ),
    usual_port_question(
        "nfs",
        (protocol_bytes.NFS,),
        # Accepted; or the program is there, in versions 2 or 3 only.
        (
            Reading("", _ACCEPTED),
            Reading("", rb"^\x80\0\0\x20disc\0\0\0\x01\0{15}\x02\0\0\0[\x02\x03]\0\0\0[\x02\x03]$"),
        ),
        ports(2049),
    ),
    usual_port_question(
        "indi",
        (b'<getProperties version="1.7"/>\n',),
        (
            Reading(
                "INDI server", rb"^\s{0,4}<def(?:Text|Number|Switch|Light|BLOB)Vector\s[\s\S]{0,40}?device="
            ),
        ),
        ports(7624),
    ),
    usual_port_question(
        "owserver",
        (protocol_bytes.OWSERVER,),
        (
            Reading(
                "owserver", rb"^\0{4}\0\0\0[\x01-\x20](?:\0\0\0[\x01-\x20])[\s\S]{8}\0{3}[\s\S]" + VERSION
            ),
        ),
        ports(4304),
    ),
    usual_port_question(
        "i2p-sam",
        (b"HELLO VERSION\n",),
        (Reading("I2P SAM bridge", rb"^HELLO REPLY RESULT=(?:OK VERSION=\d|NOVERSION)"),),
        ports(7656),
    ),
    usual_port_question(
        "yggdrasil-admin",
        (b'{"request":"getSelf"}\n',),
        (Reading("Yggdrasil", rb'"build_name": ?"yggdrasil",\s{0,20}"build_version": ?"' + VERSION),),
        ports(9001),
    ),
    usual_port_question(
        "bep-relay",
        (bytes.fromhex("9e79bc400000000000000000"),),
        (Reading("Syncthing relay", rb"^\x9e\x79\xbc\x40\0\0\0[\x01\x04]\0\0\0"),),
        ports(22067),
    ),
    usual_port_question(
        "libvirt-rpc",
        (protocol_bytes.LIBVIRT,),
        (Reading("libvirt", rb"^\0\0[\s\S]{2}\x20\0\x80\x86\0\0\0\x01\0\0\0\x42\0\0\0\x01"),),
        ports(16509, 16514),
    ),
    usual_port_question(
        "vnc",
        (b"RFB 009.009\n",),
        # RealVNC, from which it stems, began the text with `Error: client`.
        (
            Reading(
                "TigerVNC",
                rb"^RFB 003\.\d{3}\n\0\0\0\0[\s\S]Client needs protocol version 9\.9, server has 3\.\d$",
            ),
        ),
        ports(5900, 5901),
    ),
    usual_port_question(
        "spice",
        (protocol_bytes.SPICE,),
        # The version is refused, with an empty key.
        (Reading("SPICE", rb"^REDQ\x02\0\0\0[\0-\x0f]\0\0\0[\x20-\xff][\0\1]\0\0\x04\0\0\0\0{16}"),),
        ports(5900, 5901, 5930),
    ),
    usual_port_question(
        "ident",
        (b"0,0\r\nno ports\r\n",),
        (
            # Answers whatever is said; nmap takes it for another where it hears one line of two.
            Reading("Nullidentd", rb"^0,0 : USERID : UNIX : [^\r\n]{1,80}\r\nno ports : USERID : UNIX : "),
            Reading("", rb"^0 ?, ?0 ?: ?(?:ERROR|USERID) ?:"),
        ),
        ports(113),
        aliases=frozenset({"auth"}),
    ),
    usual_port_question(
        "ms-sql-s",
        (protocol_bytes.SQL_SERVER,),
        (Reading("Microsoft SQL Server", rb"^\x04\x01\0[\s\S]{5}\0\0[\s\S]{2}\0\x06"),),
        ports(1433, 1434),
    ),
    usual_port_question(
        "pptp",
        (protocol_bytes.PPTP,),
        (
            # The host's name and the vendor that its source states; devices state their own.
            Reading("Poptop", _PPTP_REPLY + rb"local\0{59}linux\0{59}"),
            Reading("", _PPTP_REPLY),
        ),
        ports(1723),
    ),
    usual_port_question(
        "rpyc",
        (protocol_bytes.RPYC,),
        # The same text, in a reply to request 1.
        (Reading("RPyC", rb"^\0\0\0\x0a\0\x02\x11Q\x11Q\rdisc\n"),),
        ports(18812),
    ),
    usual_port_question(
        "knxd",
        (b"\0\x02\xff\xff",),
        # The request is invalid: nothing is opened, and nothing is sent to the bus.
        (Reading("knxd", rb"^\0\x02\0\0$"),),
        ports(6720),
    ),
    usual_port_question(
        "nut",
        (b"VER\n",),
        (Reading("Network UPS Tools upsd", rb"^Network UPS Tools upsd " + VERSION),),
        ports(3493),
    ),
    usual_port_question(
        "quassel",
        (b"\x42\xb3\x3f\0\0\0\0\x02\x80\0\0\x01",),
        (Reading("Quassel IRC core", rb"^[\0-\x03]\0\0[\x01\x02]$"),),
        ports(4242, 4243),
    ),
    usual_port_question(
        "xymon",
        (b"ping",),
        (Reading("Xymon", rb"^xymond " + VERSION + rb"\n?$"),),
        ports(1984),
        then_end=True,
    ),
    usual_port_question(
        "munin",
        (b"version\n",),
        (Reading("Munin", rb"munins? node on \S{1,100} version: " + VERSION),),
        ports(4949),
    ),
    usual_port_question(
        "beanstalk",
        (b"stats\r\n",),
        (Reading("Beanstalk", rb"^OK \d+\r\n[\s\S]{0,2000}?\nversion: \"?" + VERSION),),
        ports(11300),
    ),
    usual_port_question(
        "clamd",
        (b"nVERSION\n",),
        (Reading("ClamAV", rb"^ClamAV " + VERSION),),
        ports(3310),
    ),
)
