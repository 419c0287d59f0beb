"""NetworkingConfig of a create: on which networks a container stands, and as what."""

import json
from typing import Any, Final

from vectors.row import HARMLESS, Vector, container, endpoint, host, networks

CLASS: Final = "NetworkingConfig"
OWN_NETWORK: Final = "exactly one network: that session's own"
ADDRESS: Final = "an address for a container in the session's subnet"
CLOSED_MODEL: Final = "closed body model: a field that is not in it is refused"


def _row(name: str, what: str, rule: str = CLOSED_MODEL, *, alone: bool = True, **fields: Any) -> Vector:
    return Vector(f"endpoint-{name}", what, rule, body=endpoint(**fields), alone=alone)


def _on(name: str, what: str, *, mode: str | None = None, alone: bool = True, **endpoints: Any) -> Vector:
    body = networks(**endpoints)
    if mode is not None:
        body["HostConfig"]["NetworkMode"] = mode
    return Vector(f"endpoint-on-{name}", what, OWN_NETWORK, body=body, alone=alone)


VECTORS: Final = (
    _on("host", "the host's network", mode="host", host={}),
    _on("bridge", "the default bridge", mode="bridge", bridge={}),
    _on("none", "no network", mode="none", none={}),
    _on("foreign", "a foreign network by name", mode="@VICTIM_NETWORK@", __VICTIM_NETWORK__={}),
    _on("foreign-id", "a foreign network by id", mode="@VICTIM_NETWORK_ID@", __VICTIM_NETWORK_ID__={}),
    _on(
        "other-session",
        "another session's network",
        mode="dryrun-@OTHER_SESSION@",
        **{"dryrun-__OTHER_SESSION__": {}},
    ),
    _on("two", "its own and the default bridge", __NETWORK__={}, bridge={}),
    _on("two-sessions", "its own and another session's", __NETWORK__={}, **{"dryrun-__OTHER_SESSION__": {}}),
    _on("mode-differs", "NetworkMode of another network than the endpoint's", mode="bridge", __NETWORK__={}),
    _on("endpoint-differs", "an endpoint on another network than NetworkMode's", bridge={}),
    _on("container", "a victim's network namespace", mode="container:@VICTIM_ID@"),
    _on("nowhere", "a network that does not exist", mode="dryrun-nowhere", **{"dryrun-nowhere": {}}),
    Vector(
        "endpoint-none",
        "NetworkingConfig left out",
        OWN_NETWORK,
        body=container(NetworkingConfig=None),
        answers=HARMLESS,
        alone=True,
    ),
    Vector(
        "endpoint-null",
        "endpoint null",
        "strict types",
        body=json.dumps(networks(__NETWORK__=0)).replace('"@NETWORK@": 0', '"@NETWORK@": null'),
        answers=HARMLESS,
        alone=False,
    ),
    _row(
        "address-outside",
        "an address outside of the subnet",
        ADDRESS,
        IPAMConfig={"IPv4Address": "10.0.0.1"},
        alone=False,
    ),
    Vector(
        "endpoint-address-gateway",
        "the address that a gateway would have: nobody's, as the host has none here",
        ADDRESS,
        body=endpoint(IPAMConfig={"IPv4Address": "@GATEWAY@"}),
        answers=HARMLESS,
    ),
    _row("address-broadcast", "the last address", ADDRESS, IPAMConfig={"IPv4Address": "@BROADCAST@"}),
    _row("address-text", "words", ADDRESS, IPAMConfig={"IPv4Address": "anywhere"}, alone=False),
    _row(
        "address-octal",
        "an address with leading zeros",
        ADDRESS,
        IPAMConfig={"IPv4Address": "012.213.1.1"},
        alone=False,
    ),
    _row("address-v6", "an IPv6 address", ADDRESS, IPAMConfig={"IPv6Address": "fd00::2"}, alone=False),
    _row(
        "link-local",
        "link-local addresses",
        ADDRESS,
        IPAMConfig={"IPv4Address": "@ADDRESS@", "LinkLocalIPs": ["169.254.34.68"]},
    ),
    _row("mac", "MacAddress of its own choice", MacAddress="02:42:0a:d5:00:02"),
    _row("links", "Links to a victim", Links=["@VICTIM_NAME@:db"]),
    _row(
        "driver-opts",
        "DriverOpts",
        DriverOpts={"com.docker.network.endpoint.sysctls": "net.ipv4.ip_forward=1"},
    ),
    _row("gateway", "Gateway", Gateway="@GATEWAY@"),
    _row("network-id", "NetworkID of a victim's network", NetworkID="@VICTIM_NETWORK_ID@"),
    _row("endpoint-id", "EndpointID", EndpointID="0" * 64),
    _row("dns-names", "DNSNames", DNSNames=["db"]),
    _row("global-v6", "GlobalIPv6Address", GlobalIPv6Address="fd00::2", GlobalIPv6PrefixLen=64),
    _row("alias-victim", "an alias that is no plain name", "plain names", Aliases=["a b\n127.0.0.1 c"]),
    _row("alias-many", "ten thousand aliases", "bounded sizes", Aliases=[f"a{n}" for n in range(10_000)]),
    _row("unknown", "a field that no engine knows", Attack=True),
    Vector(
        "endpoint-case",
        "endpointsconfig in lower case beside the right one",
        "keys in one case: Go matches keys without regard to case",
        body=container(
            NetworkingConfig={"EndpointsConfig": {"@NETWORK@": {}}, "endpointsconfig": {"bridge": {}}}
        ),
        alone=True,
    ),
    Vector(
        "endpoint-mode-by-id",
        "NetworkMode by the network's id, endpoint by its name",
        OWN_NETWORK,
        body=host(NetworkMode="@NETWORK_ID@"),
        answers=HARMLESS,
        alone=True,
    ),
)
