"""Subnets, addresses and moments in spellings that two parsers may read differently."""

from typing import Any, Final

from vectors.row import CREATE_NETWORK, Vector, endpoint, network, network_labels

CLASS: Final = "Subnets, addresses, moments"
POOL: Final = "subnet inside the configured pool, nothing beside it"
DEADLINE: Final = "deadline at most 30 minutes from now, on the network"
ADDRESS: Final = "an address for a container in the session's subnet"
LABELS: Final = "labels of the design and no others"


def _network(name: str, what: str, rule: str, **fields: Any) -> Vector:
    return Vector(f"text-{name}", what, rule, path=CREATE_NETWORK, body=network(**fields))


_SUBNETS: Final = {
    "point-to-point": "@NEW_BASE@/31",
    "one-address": "@NEW_BASE@/32",
    "whole-pool": "10.213.0.0/16",
    "too-large": "10.213.192.0/25",
    "netmask": "@NEW_BASE@/255.255.255.224",
    "host-mask": "@NEW_BASE@/0.0.0.31",
    "no-length": "@NEW_BASE@",
    "leading-zero": "@NEW_BASE@/027",
    "plus": "@NEW_BASE@/+27",
    "minus": "@NEW_BASE@/-1",
    "beyond": "@NEW_BASE@/33",
    "space": " @NEW_SUBNET@",
    "newline": "@NEW_SUBNET@\n",
    "two": "@NEW_SUBNET@,10.0.0.0/8",
    "mapped": "::ffff:@NEW_BASE@/123",
    "octal": "012.0325.0300.0/27",
    "padded": "10.213.192.000/27",
    "hex": "0xad5c000/27",
    "number": "181780480/27",
    "short": "10.213.192/27",
    "fullwidth": "10.213.192.0/\uff127",
    "zone": "@NEW_BASE@%eth0/27",
    "loopback": "127.0.0.0/27",
    "link-local": "169.254.0.0/27",
    "multicast": "224.0.0.0/27",
    "any": "0.0.0.0/0",
    "v6-any": "::/0",
    "nul": "@NEW_SUBNET@\0",
    "empty": "",
}
_RANGES: Final[dict[str, list[dict[str, Any]]]] = {
    "gateway-outside": [{"Subnet": "@NEW_SUBNET@", "Gateway": "10.0.0.1"}],
    "gateway-base": [{"Subnet": "@NEW_SUBNET@", "Gateway": "@NEW_BASE@"}],
    "gateway-v6": [{"Subnet": "@NEW_SUBNET@", "Gateway": "fe80::1"}],
    "auxiliary-host": [
        {"Subnet": "@NEW_SUBNET@", "AuxiliaryAddresses": {"DefaultGatewayIPv4": "@NEW_ADDRESS@"}}
    ],
    "auxiliary-old": [{"Subnet": "@NEW_SUBNET@", "AuxAddress": {"x": "@NEW_ADDRESS@"}}],
    "range-wide": [{"Subnet": "@NEW_SUBNET@", "IPRange": "10.0.0.0/8"}],
    "case": [{"Subnet": "@NEW_SUBNET@", "subnet": "10.0.0.0/8"}],
    "twice": [{"Subnet": "@NEW_SUBNET@"}, {"Subnet": "@NEW_SUBNET@"}],
    "beside-v6": [{"Subnet": "@NEW_SUBNET@"}, {"Subnet": "fd00::/64"}],
    "none": [],
    "nothing": [{}],
}

_MOMENTS: Final = {
    "lower-case": "2026-01-31t12:00:00z",
    "space": "2026-01-31 12:00:00Z",
    "utc": "@LATER@ UTC",
    "two-zones": "@LATER@Z",
    "zero-offset": "2099-01-31T12:00:00+00:00",
    "minus-zero": "2099-01-31T12:00:00-00:00",
    "no-zone": "2099-01-31T12:00:00",
    "newline": "@LATER@\n",
    "blank-before": " @LATER@",
    "nul": "@LATER@\0",
    "comma": "2099-01-31T12:00:00,5Z",
    "midnight": "2099-01-31T24:00:00Z",
    "leap": "2016-12-31T23:59:60Z",
    "second-61": "2099-01-31T23:59:61Z",
    "no-day": "2099-02-30T12:00:00Z",
    "leap-day": "2099-02-29T12:00:00Z",
    "week": "2099-W05-5T12:00:00Z",
    "ordinal": "2099-031T12:00:00Z",
    "basic": "20990131T120000Z",
    "one-digit": "2099-1-1T1:1:1Z",
    "no-seconds": "2099-01-31T12:00Z",
    "unix": "4073544000",
    "exponent": "1e10",
    "year-zero": "0000-01-01T00:00:00Z",
    "year-one": "0001-01-01T00:00:00Z",
    "year-9999": "9999-12-31T23:59:59Z",
    "plus-year": "+2099-01-01T00:00:00Z",
    "minus-year": "-2099-01-01T00:00:00Z",
    "dashes": "2099\u201301\u201331T12:00:00Z",
    "fullwidth": "\uff12\uff1099-01-31T12:00:00Z",
    "empty": "",
    "words": "tomorrow",
    "now": "@NOW@",
    "half-hour-and-more": "@IN_30_MINUTES_AND_2_S@",
}

_ADDRESSES: Final = {
    "base": "@BASE@",
    "cidr": "@ADDRESS@/27",
    "space": "@ADDRESS@ ",
    "newline": "@ADDRESS@\n",
    "mapped": "::ffff:@ADDRESS@",
    "short": "10.213",
    "number": "181780489",
    "hex": "0xad5c009",
    "any": "0.0.0.0",
    "all": "255.255.255.255",
    "loopback": "127.0.0.1",
    "fullwidth": "10.213.192.\uff19",
    "two": "@ADDRESS@,@GATEWAY@",
    "host": "172.17.0.1",
    "other-session": "@OTHER_FIRST@",
    "nul": "@ADDRESS@\0",
}

_SESSIONS: Final = {
    "urn": "urn:uuid:@NEW_SESSION@",
    "newline": "@NEW_SESSION@\n",
    "fullwidth": "\uff10@NEW_SESSION@",
    "no-dashes": "00000000000000000000000000000001",
    "nul": "@NEW_SESSION@\0",
    "path": "../@NEW_SESSION@",
}

VECTORS: Final = (
    *(
        _network(f"subnet-{name}", f"a subnet of {text!r}", POOL, IPAM={"Config": [{"Subnet": text}]})
        for name, text in _SUBNETS.items()
    ),
    *(
        _network(f"range-{name}", f"IPAM: {entries}", POOL, IPAM={"Driver": "default", "Config": entries})
        for name, entries in _RANGES.items()
    ),
    *(
        _network(
            f"moment-{name}", f"a deadline of {text!r}", DEADLINE, Labels=network_labels(expires_at=text)
        )
        for name, text in _MOMENTS.items()
    ),
    *(
        _network(
            f"session-{name}",
            f"a session of {text!r}",
            LABELS,
            Name=f"dryrun-{text}",
            Labels=network_labels(session_id=text),
        )
        for name, text in _SESSIONS.items()
    ),
    *(
        Vector(
            f"text-address-{name}",
            f"an address of {text!r}",
            ADDRESS,
            body=endpoint(IPAMConfig={"IPv4Address": text}),
        )
        for name, text in _ADDRESSES.items()
    ),
)
