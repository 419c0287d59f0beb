"""Networks: the only kind that may be made is a session's own, internal and shut."""

import json
from typing import Any, Final

from vectors.row import CREATE_NETWORK, HARMLESS, REFUSED, Vector, network, network_labels, options

CLASS: Final = "Network bodies"
CLOSED_MODEL: Final = "closed body model: a field that is not in it is refused"
SHUT: Final = "internal, IPv4 only, no address of the host on the bridge"
NAMED: Final = "name and bridge follow from the session's id"
POOL: Final = "subnet inside the configured pool, nothing beside it"
DEADLINE: Final = "deadline at most 30 minutes from now, on the network"
LABELS: Final = "labels of the design and no others"
OVERLAY: Final = "overlays are made by the guard of a fleet's manager alone, in the one form"
RANGED: Final[dict[str, Any]] = {
    "IPAM": {"Driver": "default", "Config": [{"Subnet": "@NEW_SUBNET@", "IPRange": "@NEW_BASE@/28"}]}
}


def _row(
    name: str, what: str, rule: str = CLOSED_MODEL, *, answers: frozenset[int] = REFUSED, **fields: Any
) -> Vector:
    body = network(**fields)
    return Vector(f"network-{name}", what, rule, path=CREATE_NETWORK, body=body, answers=answers)


def _pool(name: str, what: str, **config: Any) -> Vector:
    return _row(name, what, POOL, IPAM={"Driver": "default", "Config": [config]})


def _overlay(name: str, what: str, rule: str, **fields: Any) -> Vector:
    """An overlay, as the guard of a fleet's manager would make it, with fields replaced."""
    addresses = {"Subnet": "10.213.192.0/26", "IPRange": "10.213.192.32/27"}
    whole = {
        "Driver": "overlay",
        "Scope": "swarm",
        "Attachable": True,
        "IPAM": {"Driver": "default", "Config": [addresses]},
        "Options": {"encrypted": ""},
    }
    return _row(f"overlay-{name}", what, rule, **(whole | fields))


_WHOLE = json.dumps(network())

VECTORS: Final = (
    _row("open", "not internal", SHUT, Internal=False),
    _row("open-absent", "Internal left out", SHUT, Internal=None),
    _row("internal-text", 'Internal "true"', "strict types", Internal="true"),
    _row("ipv6", "with IPv6", SHUT, EnableIPv6=True),
    _row("ipv4-off", "EnableIPv4 false", CLOSED_MODEL, EnableIPv4=False),
    _row("attachable", "attachable", CLOSED_MODEL, Attachable=True),
    _row("ingress", "ingress", CLOSED_MODEL, Ingress=True),
    _row("scope", "scope swarm", CLOSED_MODEL, Scope="swarm"),
    _row("config-only", "a configuration only", CLOSED_MODEL, ConfigOnly=True),
    _row(
        "config-from",
        "configuration from a foreign network",
        CLOSED_MODEL,
        ConfigFrom={"Network": "@VICTIM_NETWORK@"},
    ),
    _row("check-duplicate", "CheckDuplicate false", CLOSED_MODEL, answers=HARMLESS, CheckDuplicate=False),
    _row(
        "driver-macvlan",
        "driver macvlan: the host's wire",
        SHUT,
        Driver="macvlan",
        Options={"parent": "eth0"},
    ),
    _row("driver-ipvlan", "driver ipvlan", SHUT, Driver="ipvlan"),
    _row("driver-host", "driver host", SHUT, Driver="host"),
    _row("driver-null", "driver null", SHUT, Driver="null"),
    _row("driver-overlay", "driver overlay", SHUT, Driver="overlay"),
    _overlay("whole", "an overlay, on a host that manages no fleet", OVERLAY),
    _overlay("open", "an overlay that is not internal", SHUT, Internal=False),
    _overlay("clear", "an overlay without encryption", OVERLAY, Options={}),
    _overlay("ingress", "the ingress of services", CLOSED_MODEL, Ingress=True),
    _overlay("peers", "an overlay with peers of the client's own", CLOSED_MODEL, Peers=[]),
    _row("engines-range", "a range for addresses on a bridge", CLOSED_MODEL, **RANGED),
    _row("driver-plugin", "a driver that the engine would look for", SHUT, Driver="@NONCE@/plugin:latest"),
    _row("driver-absent", "Driver left out", SHUT, answers=HARMLESS, Driver=None),
    _row(
        "bridge-name",
        "another bridge name: the host's rule misses it",
        NAMED,
        Options=options(bridge_name="br-attack00"),
    ),
    _row("bridge-docker0", "the default bridge's name", NAMED, Options=options(bridge_name="docker0")),
    _row(
        "bridge-name-other",
        "another session's bridge name",
        NAMED,
        Options=options(bridge_name="@OTHER_BRIDGE@"),
    ),
    _row(
        "bridge-name-victim",
        "a foreign network's bridge name",
        NAMED,
        Options=options(bridge_name="@VICTIM_BRIDGE@"),
    ),
    _row("bridge-name-path", "a bridge name that is a path", NAMED, Options=options(bridge_name="../x")),
    _row(
        "bridge-name-absent",
        "no bridge name",
        NAMED,
        Options={"com.docker.network.bridge.inhibit_ipv4": "true"},
    ),
    _row("gateway-kept", "inhibit_ipv4 false", SHUT, Options=options(bridge_inhibit_ipv4="false")),
    _row(
        "gateway-kept-absent",
        "inhibit_ipv4 left out",
        SHUT,
        Options={"com.docker.network.bridge.name": "@NEW_BRIDGE@"},
    ),
    _row("option-icc", "enable_icc", CLOSED_MODEL, Options=options(bridge_enable_icc="false")),
    _row(
        "option-host-binding",
        "host_binding_ipv4",
        CLOSED_MODEL,
        Options=options(bridge_host_binding_ipv4="0.0.0.0"),
    ),
    _row(
        "option-masquerade",
        "enable_ip_masquerade",
        CLOSED_MODEL,
        Options=options(bridge_enable_ip_masquerade="true"),
    ),
    _row(
        "option-default-bridge", "default_bridge", CLOSED_MODEL, Options=options(bridge_default_bridge="true")
    ),
    _row(
        "option-prefix", "container_iface_prefix", CLOSED_MODEL, Options=options(container_iface_prefix="eth")
    ),
    _row("option-mtu", "driver.mtu", CLOSED_MODEL, Options=options(driver_mtu="1500")),
    _row(
        "option-case",
        "an option in another case beside the right one",
        CLOSED_MODEL,
        Options=options() | {"com.docker.network.bridge.Name": "br-x"},
    ),
    _row("name-other", "another name", NAMED, Name="attack-@NONCE@"),
    _row("name-foreign", "a foreign network's name", NAMED, Name="@VICTIM_NETWORK@"),
    _row("name-host", "the name host", NAMED, Name="host"),
    _row("name-id", "a foreign network's id as its name", NAMED, Name="@VICTIM_NETWORK_ID@"),
    _row("name-session", "the name of another session", NAMED, Name="dryrun-@OTHER_SESSION@"),
    _row("name-upper", "the session's id in upper case", NAMED, Name="dryrun-@NEW_SESSION_UPPER@"),
    _row("name-space", "a name with a space", NAMED, Name=" dryrun-@NEW_SESSION@"),
    _pool("subnet-outside", "a subnet outside of the pool", Subnet="192.0.2.0/27"),
    _pool("subnet-all", "a subnet that holds the pool", Subnet="10.0.0.0/8"),
    _pool("subnet-host-bits", "a subnet with host bits", Subnet="@NEW_ADDRESS@/27"),
    _pool("subnet-v6", "an IPv6 subnet", Subnet="fd00::/64"),
    _pool("subnet-docker", "the default bridge's subnet", Subnet="172.17.0.0/16"),
    _pool("subnet-taken", "another session's subnet", Subnet="@SUBNET@"),
    _pool("gateway", "a gateway", Subnet="@NEW_SUBNET@", Gateway="@NEW_ADDRESS@"),
    _pool("range", "an address range", Subnet="@NEW_SUBNET@", IPRange="@NEW_SUBNET@"),
    _pool(
        "auxiliary", "auxiliary addresses", Subnet="@NEW_SUBNET@", AuxiliaryAddresses={"x": "@NEW_ADDRESS@"}
    ),
    _row(
        "two-subnets",
        "two subnets",
        POOL,
        IPAM={"Config": [{"Subnet": "@NEW_SUBNET@"}, {"Subnet": "192.0.2.0/27"}]},
    ),
    _row("no-subnet", "no subnet: the engine's own pool", POOL, IPAM=None),
    _row(
        "ipam-driver",
        "another address driver",
        POOL,
        IPAM={"Driver": "null", "Config": [{"Subnet": "@NEW_SUBNET@"}]},
    ),
    _row(
        "ipam-options",
        "address driver options",
        POOL,
        IPAM={"Driver": "default", "Options": {"x": "y"}, "Config": [{"Subnet": "@NEW_SUBNET@"}]},
    ),
    _row(
        "expires-far",
        "a deadline of 2099",
        DEADLINE,
        Labels=network_labels(expires_at="2099-01-01T00:00:00Z"),
    ),
    _row(
        "expires-31-minutes",
        "a deadline 31 minutes away",
        DEADLINE,
        Labels=network_labels(expires_at="@IN_31_MINUTES@"),
    ),
    _row(
        "expires-past",
        "a deadline that has passed",
        DEADLINE,
        Labels=network_labels(expires_at="2001-01-01T00:00:00Z"),
    ),
    _row("expires-absent", "no deadline", DEADLINE, Labels=network_labels(expires_at=None)),
    _row(
        "expires-offset",
        "a deadline with an offset",
        DEADLINE,
        Labels=network_labels(expires_at="@EXPIRES_PLUS_14@"),
    ),
    _row(
        "expires-fraction",
        "a deadline with a fraction",
        DEADLINE,
        Labels=network_labels(expires_at="2099-01-01T00:00:00.000Z"),
    ),
    _row("expires-leap", "second 60", DEADLINE, Labels=network_labels(expires_at="2099-06-30T23:59:60Z")),
    _row(
        "expires-digits",
        "digits that are no ASCII",
        DEADLINE,
        Labels=network_labels(expires_at="\u0662\u0660\u0669\u0669-01-01T00:00:00Z"),
    ),
    _row(
        "expires-year", "the year 10000", DEADLINE, Labels=network_labels(expires_at="10000-01-01T00:00:00Z")
    ),
    _row("session-absent", "no session", LABELS, Labels=network_labels(session_id=None)),
    _row(
        "session-words",
        "a session that is no id",
        LABELS,
        Name="dryrun-x",
        Labels=network_labels(session_id="x"),
    ),
    _row(
        "session-nil",
        "the nil id as anybody's session",
        LABELS,
        answers=HARMLESS,
        Name="dryrun-00000000-0000-0000-0000-000000000000",
        Options=options(bridge_name="dr-000000000000"),
        Labels=network_labels(session_id="00000000-0000-0000-0000-000000000000"),
    ),
    _row(
        "session-other",
        "another session's id, name and bridge, on a subnet of its own",
        NAMED,
        Name="dryrun-@OTHER_SESSION@",
        Options=options(bridge_name="@OTHER_BRIDGE@"),
        Labels=network_labels(session_id="@OTHER_SESSION@"),
    ),
    _row("owner-absent", "no owner", LABELS, Labels=network_labels(owner=None)),
    _row("role", "a role", LABELS, Labels=network_labels(role="target")),
    _row(
        "label-foreign",
        "a label of another tool",
        LABELS,
        Labels=network_labels() | {"com.docker.compose.network": "x"},
    ),
    _row("unknown", "a field that no engine knows", CLOSED_MODEL, Attack=True),
    Vector(
        "network-internal-twice",
        "Internal true, then false",
        "no duplicate keys: Go takes the last",
        path=CREATE_NETWORK,
        body=_WHOLE[:-1] + ',"Internal":false}',
    ),
    Vector(
        "network-internal-case",
        "internal false in lower case",
        "keys in one case: Go matches keys without regard to case",
        path=CREATE_NETWORK,
        body=_WHOLE[:-1] + ',"internal":false}',
    ),
    Vector(
        "network-options-long-s",
        "Option\u017f, whose \u017f Go folds to s",
        "keys in one case: Go matches keys without regard to case",
        path=CREATE_NETWORK,
        body=_WHOLE[:-1] + ',"Option\u017f":{"com.docker.network.bridge.inhibit_ipv4":"false"}}',
    ),
    Vector(
        "network-again",
        "this session's own network once more: a second of its name",
        NAMED,
        path=CREATE_NETWORK,
        body=network(Name="@NETWORK@", Labels=network_labels(session_id="@SESSION@")),
    ),
    Vector(
        "network-prolong",
        "this session's id with a fresh subnet and a later deadline",
        DEADLINE,
        path=CREATE_NETWORK,
        body=network(
            Name="@NETWORK@",
            Labels=network_labels(session_id="@SESSION@", expires_at="@LATER@"),
            Options=options(bridge_name="@BRIDGE@"),
        ),
    ),
    Vector(
        "network-subnet-small",
        "a subnet of four addresses",
        POOL,
        path=CREATE_NETWORK,
        body=network(IPAM={"Driver": "default", "Config": [{"Subnet": "@NEW_BASE@/30"}]}),
        answers=HARMLESS,
    ),
)
