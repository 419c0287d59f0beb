"""Every value that a client may choose, at its extremes and in every other spelling of it."""

import json
from collections.abc import Mapping
from typing import Any, Final

from vectors.row import HARMLESS, REFUSED, Vector, collector, container, host

CLASS: Final = "Extremes of allowed values"
CEILING: Final = "limits present and within the ceilings"
STRICT: Final = "strict types"
MOUNTS: Final = "no mounts but the allowlist's sized tmpfs"
LOG: Final = "log driver and size"
CLOSED_MODEL: Final = "closed body model: a field that is not in it is refused"
NAMES: Final = "plain names"
COMMAND: Final = "a command is one of the row's, with this session's addresses and a rate up to the row's"

_FIELDS: Final = {
    "Memory": "memory",
    "MemorySwap": "swap",
    "NanoCpus": "cpus",
    "PidsLimit": "pids",
}
_NUMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "one": ("1", "1, which the engine may take for no limit"),
    "minus-one": ("-1", "-1"),
    "least": (str(-(2**63)), "the least of 64 bits"),
    "most": (str(2**63 - 1), "the most of 64 bits"),
    "beyond": (str(2**63), "one beyond 64 bits"),
    "wrapped": (str(2**64 + 100), "a number that 64 bits wrap to 100"),
    "thirty-digits": ("9" * 30, "30 digits"),
    "float": ("100.0", "a whole number with a fraction of 0"),
    "exponent": ("1e3", "an exponent"),
    "minus-zero": ("-0", "-0"),
    "text": ('"100"', "digits in a text"),
    "true": ("true", "true"),
    "list": ("[100]", "a list of one number"),
    "object": ('{"value":100}', "an object"),
}


def _spelled(field: str, value: str) -> str:
    """Return a target's body as text, with a number written as no encoder would."""
    return json.dumps(host(**{field: "@@"})).replace('"@@"', value)


_LIMITS: Final = tuple(
    Vector(
        f"extreme-{name}-{number}",
        f"{field}: {what}",
        STRICT if number in ("float", "exponent", "text", "true", "list", "object") else CEILING,
        body=_spelled(field, value),
        # One process is few, and nothing more.
        answers=HARMLESS if (field, number) == ("PidsLimit", "one") else REFUSED,
    )
    for field, name in _FIELDS.items()
    for number, (value, what) in _NUMBERS.items()
)

_ONLY_AT_ZERO: Final = {
    "CpuQuota": -1,
    "CpuPeriod": 1,
    "CpuRealtimePeriod": 1,
    "CpuShares": 2,
    "CpuCount": 1,
    "CpuPercent": 100,
    "KernelMemory": 1,
    "MemoryReservation": -1,
    "MemorySwappiness": 0,
    "ShmSize": -1,
    "OomScoreAdj": 1001,
    "IOMaximumIOps": 1,
    "IOMaximumBandwidth": 1,
    "BlkioWeight": 1000,
    "OomKillDisable": 1,
    "Privileged": 1,
    "PublishAllPorts": "true",
    "ConsoleSize": [0, 1],
    "Ulimits": [{"Name": "nofile", "Soft": -1, "Hard": -1}],
    "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
    "Devices": {},
    "MaskedPaths": {},
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": -1},
    "CgroupnsMode": "Host",
    "IpcMode": "none:",
    "Annotations": {"": ""},
}
_FIXED: Final = tuple(
    Vector(f"extreme-{field.lower()}", f"{field}: {value!r}", CLOSED_MODEL, body=host(**{field: value}))
    for field, value in _ONLY_AT_ZERO.items()
)

_TMPFS_OPTIONS: Final = {
    "zero": "size=0",
    "percent": "size=50%",
    "minus": "size=-1",
    "plus": "size=+1048576",
    "hex": "size=0x100000",
    "exponent": "size=1e6",
    "wrapped": f"size={2**64 + 4096}",
    "unit": "size=1t",
    "two-units": "size=1kk",
    "space": "size=1048576 ",
    "nothing": "size=",
    "fullwidth": "size=\uff11",
    "upper": "SIZE=64g,size=1m",
    "inodes": "size=1m,nr_inodes=0",
    "blocks": "size=1m,nr_blocks=0",
    "huge": "size=1m,huge=always",
    "policy": "size=1m,mpol=interleave",
    "bind": "size=1m,bind",
    "remount": "size=1m,remount",
    "shared": "size=1m,rshared",
    "read-only": "size=1m,ro",
    "symlinks": "size=1m,symfollow",
    "both": "size=1m,noexec,exec",
    "empty-word": "size=1m,,noexec",
    "twice": "size=1m,size=1m",
    "equals": "size=1m=64g",
    "mode": "size=1m,mode=4777",
    "mode-decimal": "size=1m,mode=493",
    "owner": "size=1m,uid=0,gid=0",
    "owner-wrapped": f"size=1m,uid={2**32 + 33}",
    "newline": "size=1m\nexec",
    "nul": "size=1m\0,exec",
    "context": "size=1m,context=x",
    "quoted": '"size=1m"',
}
_TMPFS: Final = tuple(
    Vector(
        f"extreme-tmpfs-{name}",
        f"Tmpfs: {options!r}",
        MOUNTS,
        body=host(Tmpfs={"/scratch": options}),
    )
    for name, options in _TMPFS_OPTIONS.items()
)

_LOG_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "zero": {"max-size": "0"},
    "minus": {"max-size": "-1"},
    "bytes": {"max-size": "1"},
    "just-below": {"max-size": "999999"},
    "kilo": {"max-size": "999k"},
    "kibi": {"max-size": "10MiB"},
    "exponent": {"max-size": "1e7"},
    "float": {"max-size": "9.5m"},
    "space": {"max-size": " 10m"},
    "newline": {"max-size": "10m\n"},
    "fullwidth": {"max-size": "\uff11\uff10m"},
    "files-zero": {"max-size": "1m", "max-file": "0"},
    "files-minus": {"max-size": "1m", "max-file": "-1"},
    "files-eleven": {"max-size": "1m", "max-file": "11"},
    "files-plus": {"max-size": "1m", "max-file": "+2"},
    "files-float": {"max-size": "1m", "max-file": "2.0"},
    "files-wrapped": {"max-size": "1m", "max-file": str(2**64 + 2)},
    "files-product": {"max-size": "2m", "max-file": "10"},
    "compress": {"max-size": "1m", "max-file": "2", "compress": "true"},
    "mode": {"max-size": "1m", "mode": "non-blocking", "max-buffer-size": "4g"},
    "case": {"max-size": "1m", "Max-Size": "-1"},
    "tag": {"max-size": "1m", "tag": "{{.Name}}"},
    "empty-key": {"max-size": "1m", "": "x"},
}
_LOG_TYPES: Final = {
    "local": "local",
    "upper": "JSON-FILE",
    "space": "json-file ",
    "path": "/bin/sh",
    "nul": "json-file\0",
}
_LOGS: Final = (
    *(
        Vector(
            f"extreme-log-{name}",
            f"LogConfig: {options}",
            LOG,
            body=host(LogConfig={"Type": "json-file", "Config": options}),
        )
        for name, options in _LOG_OPTIONS.items()
    ),
    *(
        Vector(
            f"extreme-log-type-{name}",
            f"LogConfig of the type {kind!r}",
            LOG,
            body=host(LogConfig={"Type": kind, "Config": {"max-size": "1m"}}),
        )
        for name, kind in _LOG_TYPES.items()
    ),
)

_RATES: Final = {
    "plus": "+5",
    "leading-zero": "050",
    "fraction": "5.0",
    "exponent": "5e3",
    "space": " 5",
    "newline": "5\n",
    "wrapped": str(2**32 + 1),
    "minus": "-5",
    "two": "5 5",
}
_COMMANDS: Final = tuple(
    Vector(f"extreme-rate-{name}", f"a rate of {text!r}", COMMAND, body=collector() | {"Cmd": ["echo", text]})
    for name, text in _RATES.items()
)

_ALIASES: Final = {
    "wildcard": "*",
    "dot": ".",
    "underscore": "_tcp",
    "space": "a b",
    "newline": "a\n",
    "long": "a" * 64,
    "fullwidth": "\uff41",
    "zone": "a%eth0",
    "slash": "a/b",
    "colon": "a:b",
    "empty": "",
    "host-file": "a\t10.213.0.1",
}


def _alias(text: str) -> dict[str, Any]:
    body = container()
    body["NetworkingConfig"]["EndpointsConfig"]["@NETWORK@"]["Aliases"] = [text]
    return body


_NAMES: Final = tuple(
    Vector(f"extreme-alias-{name}", f"an alias of {text!r}", NAMES, body=_alias(text))
    for name, text in _ALIASES.items()
)

VECTORS: Final = (*_LIMITS, *_FIXED, *_TMPFS, *_LOGS, *_COMMANDS, *_NAMES)
