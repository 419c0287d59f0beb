"""The questions to what holds a cluster together: membership, votes, shared storage."""

from discovery_collectors.collectors.network.second_opinion import protocol_bytes
from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    VERSION,
    ProtocolQuestion,
    Reading,
    ports,
    usual_port_question,
)

CLUSTER_QUESTIONS: tuple[ProtocolQuestion, ...] = (
    usual_port_question(
        "glusterd",
        (protocol_bytes.GLUSTER,),
        (Reading("GlusterFS", rb"^\x80[\s\S]{3}disc\0\0\0\x01\0{16,64}\x01\0\0\0\x07GF-DUMP\0"),),
        ports(24007, 49152),
    ),
    usual_port_question(
        "moosefs",
        (b"\0\0\0\x0a\0\0\0\0",),
        (Reading("MooseFS", rb"^\0\0\0\x0b\0\0\0[\x05-\x40][\s\S]{4}" + VERSION),),
        ports(9419, 9420, 9421, 9422),
    ),
    usual_port_question(
        "corosync-qnet",
        (protocol_bytes.QNETD,),
        # Whether it speaks TLS, and wants a client's certificate.
        (Reading("Corosync QNet daemon", rb"^\0\x01\0\0\0\x0a\0\x02\0\x01[\0-\x02]\0\x03\0\x01[\0\x01]$"),),
        ports(5403),
    ),
    usual_port_question(
        "serf-rpc",
        (protocol_bytes.SERF,),
        (Reading("HashiCorp Serf", rb"^\x82\xa5Error(?:\xa0|\xb7Unsupported IPC version)\xa3Seq\x01"),),
        ports(7373),
        aliases=frozenset({"consul"}),
    ),
    usual_port_question(
        "memberlist",
        (protocol_bytes.MEMBERLIST,),
        # Consul, Serf, Swarm and others carry this library; its answer names none of them.
        (Reading("", rb"^\x09\x82\xa4Algo\0\xa3Buf|^\x02\x82\xa7Payload[\s\S]{1,400}?\xa5SeqNo\x07"),),
        ports(7946, 8301, 8302),
    ),
)
