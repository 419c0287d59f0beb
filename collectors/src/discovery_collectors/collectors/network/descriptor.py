"""The collector `network`: the first one, whose findings the others need."""

from discovery_collectors.collector import Descriptor
from discovery_collectors.collectors.network.udp_probes import NTP, TFTP

DESCRIPTOR = Descriptor(
    summary="hosts, services with versions, TLS certificates (mostly by nmap)",
    provides=("host", "service", "certificate"),
    profiles={
        "quick": "about 3,300 TCP ports: common ones, documented defaults, customary places beside them",
        "full": "all 65535",
    },
    # MQTT, ZooKeeper, etcd, Kibana, AMQP, CouchDB, Neo4j, ClickHouse, HAProxy's statistics, Cassandra, Kafka,
    # memcached, RabbitMQ's management, ActiveMQ.
    tcp_ports=(1883, 2181, 2379, 5601, 5672, 5984, 7687, 8123, 8404, 9042, 9092, 11211, 15672, 61616),
    udp_probes=(NTP, TFTP),
)
