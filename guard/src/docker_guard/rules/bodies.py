"""Closed models of request bodies: the fields a client may set, and those it must leave at their default.

Keys are exact, types are strict, unknown fields are refused. A field of `DEFAULTS` counts as absent at the
listed values, because docker's clients send them all; at any other value it is refused. Other modules judge
these models and build the engine's body from them alone.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from docker_guard.refusal import Refusal
from docker_guard.rules.policy import faults
from docker_guard.rules.strict_json import parse_object

NOTHING: tuple[Any, ...] = (None, "", [], {})
"""Absent, whatever the field's type."""
OFF: tuple[Any, ...] = (None, False)
ZERO: tuple[Any, ...] = (None, 0)
ANY_BOOLEAN = (None, False, True)
"""Any value: the field concerns the client only."""
OOM_SCORE_ADJ = 1000
"""Set on every container: when memory runs out, the kernel kills it before anything else on the host.

A container's memory limit does not cover kernel memory (packet rings; on cgroup v1 socket queues too), which
is freed when the container's processes end.
"""
ULIMITS: list[dict[str, Any]] = [
    {"Name": "msgqueue", "Soft": 0, "Hard": 0},
    {"Name": "sigpending", "Soft": 1024, "Hard": 1024},
]
"""Set on every container: of what the kernel counts for a user, whoever's container or host process it is.

A process may not take more while its user has this much: POSIX message queues (bytes), pending signals and
POSIX timers. A user of the host with the same number keeps the rest.
"""


class Body(BaseModel):
    """A closed model. null counts as absent, as it does for the engine."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    DEFAULTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _drop_defaults(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = {field.alias or name for name, field in cls.model_fields.items()}
        kept = {}
        for key, given in value.items():
            if key in cls.DEFAULTS:
                if _spelled(given) not in {_spelled(default) for default in cls.DEFAULTS[key]}:
                    raise ValueError(f"{key} may only be left at its default")
            elif given is not None or key not in known:
                kept[key] = given
        return kept


def _spelled(value: Any) -> str:
    """Return a form in which 0, false and 0.0 differ, which are equal in Python."""
    return json.dumps(value, sort_keys=True)


type Text = Annotated[str, Field(max_length=256)]


class Log(Body):
    """`HostConfig.LogConfig`."""

    Type: Text = ""
    options: dict[Text, Text] = Field(alias="Config", default_factory=dict, max_length=8)


class Host(Body):
    """A container's limits; every field that could give it more must be left at its default."""

    NetworkMode: Text
    CapDrop: list[Text] = Field(default_factory=list, max_length=64)
    CapAdd: list[Text] = Field(default_factory=list, max_length=64)
    SecurityOpt: list[Text] = Field(default_factory=list, max_length=16)
    Memory: int = 0
    MemorySwap: int = 0
    NanoCpus: int = 0
    PidsLimit: int = 0
    ReadonlyRootfs: bool = False
    Tmpfs: dict[Text, Text] = Field(default_factory=dict, max_length=32)
    LogConfig: Log

    DEFAULTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        # mounts
        "Binds": NOTHING,
        "Mounts": NOTHING,
        "VolumeDriver": NOTHING,
        "VolumesFrom": NOTHING,
        "StorageOpt": NOTHING,
        "ContainerIDFile": NOTHING,
        # privilege, namespaces
        "Privileged": OFF,
        "CgroupnsMode": (None, "", "private"),
        "IpcMode": (None, "", "private"),
        "PidMode": NOTHING,
        "UTSMode": NOTHING,
        "UsernsMode": NOTHING,
        "Cgroup": NOTHING,
        "CgroupParent": NOTHING,
        "GroupAdd": NOTHING,
        "MaskedPaths": (None,),  # [] would unmask them all
        "ReadonlyPaths": (None,),
        "Sysctls": (None, {}),
        "Runtime": NOTHING,
        "Isolation": (None, "", "default"),
        "Init": OFF,
        "Annotations": (None, {}),
        "OomScoreAdj": (*ZERO, OOM_SCORE_ADJ),
        "OomKillDisable": OFF,
        # devices
        "Devices": (None, []),
        "DeviceCgroupRules": (None, []),
        "DeviceRequests": (None, []),
        # network
        "PortBindings": (None, {}),
        "PublishAllPorts": OFF,
        "Links": (None, []),
        "ExtraHosts": (None, []),
        "Dns": (None, []),
        "DnsOptions": (None, []),
        "DnsSearch": (None, []),
        # life
        "RestartPolicy": (
            None,
            {},
            {"Name": ""},
            {"Name": "no"},
            {"Name": "", "MaximumRetryCount": 0},
            {"Name": "no", "MaximumRetryCount": 0},
        ),
        "AutoRemove": OFF,
        "ConsoleSize": (None, [0, 0]),
        # other resource settings
        "ShmSize": ZERO,
        "CpuShares": ZERO,
        "CpuPeriod": ZERO,
        "CpuQuota": ZERO,
        "CpuRealtimePeriod": ZERO,
        "CpuRealtimeRuntime": ZERO,
        "CpusetCpus": NOTHING,
        "CpusetMems": NOTHING,
        "CpuCount": ZERO,
        "CpuPercent": ZERO,
        "IOMaximumIOps": ZERO,
        "IOMaximumBandwidth": ZERO,
        "BlkioWeight": ZERO,
        "BlkioWeightDevice": (None, []),
        "BlkioDeviceReadBps": (None, []),
        "BlkioDeviceWriteBps": (None, []),
        "BlkioDeviceReadIOps": (None, []),
        "BlkioDeviceWriteIOps": (None, []),
        "MemoryReservation": ZERO,
        "MemorySwappiness": (None, -1),
        "KernelMemory": ZERO,
        "KernelMemoryTCP": ZERO,
        "Ulimits": (None, [], ULIMITS),
    }


class Addresses(Body):
    """`IPAMConfig` of an endpoint."""

    IPv4Address: Text = ""
    DEFAULTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "IPv6Address": NOTHING,
        "LinkLocalIPs": (None, []),
    }


class Endpoint(Body):
    """A container's endpoint in its network."""

    IPAMConfig: Addresses = Field(default_factory=Addresses)
    Aliases: list[Text] = Field(default_factory=list, max_length=16)
    DEFAULTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "Links": (None, []),
        "MacAddress": NOTHING,
        "NetworkID": NOTHING,
        "EndpointID": NOTHING,
        "Gateway": NOTHING,
        "IPAddress": NOTHING,
        "IPPrefixLen": ZERO,
        "IPv6Gateway": NOTHING,
        "GlobalIPv6Address": NOTHING,
        "GlobalIPv6PrefixLen": ZERO,
        "DriverOpts": (None, {}),
        "DNSNames": (None, []),
        "GwPriority": ZERO,
    }


class Networking(Body):
    """At most one network."""

    EndpointsConfig: dict[Text, Endpoint] = Field(default_factory=dict, max_length=1)


class CreateContainer(Body):
    """`POST /containers/create`."""

    Image: Text
    Labels: dict[Text, Text] = Field(default_factory=dict, max_length=16)
    Cmd: list[Annotated[str, Field(max_length=1024)]] = Field(default_factory=list, max_length=64)
    Env: list[str] = Field(default_factory=list, max_length=128)
    OpenStdin: bool = False
    HostConfig: Host
    NetworkingConfig: Networking = Field(default_factory=Networking)

    DEFAULTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        # the image's own
        "Entrypoint": (None, []),
        "User": NOTHING,
        "WorkingDir": NOTHING,
        "Healthcheck": (None, {}),
        "ExposedPorts": (None, {}),
        "Volumes": (None, {}),
        "OnBuild": (None, []),
        "Shell": (None, []),
        "StopSignal": NOTHING,
        "StopTimeout": (None,),
        "ArgsEscaped": OFF,
        # the engine's own
        "Hostname": NOTHING,
        "Domainname": NOTHING,
        "MacAddress": NOTHING,
        "NetworkDisabled": OFF,
        # the terminal
        "Tty": OFF,
        "StdinOnce": OFF,
        "AttachStdin": OFF,
        "AttachStdout": ANY_BOOLEAN,
        "AttachStderr": ANY_BOOLEAN,
    }


class AddressRange(Body):
    """`IPAM.Config[0]`."""

    Subnet: Text
    IPRange: Text = ""
    DEFAULTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "Gateway": NOTHING,
        "AuxiliaryAddresses": (None, {}),
        "AuxAddress": (None, {}),
    }


class Addressing(Body):
    """`IPAM`: one subnet."""

    ranges: list[AddressRange] = Field(alias="Config", min_length=1, max_length=1)
    DEFAULTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "Driver": (None, "", "default"),
        "Options": (None, {}),
    }


class CreateNetwork(Body):
    """`POST /networks/create`."""

    Name: Text
    Driver: Literal["", "bridge", "overlay"] = ""
    Scope: Literal["", "local", "swarm"] = ""
    Internal: bool = False
    Attachable: bool = False
    IPAM: Addressing
    Options: dict[Text, Text] = Field(default_factory=dict, max_length=8)
    Labels: dict[Text, Text] = Field(default_factory=dict, max_length=16)

    DEFAULTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "EnableIPv6": OFF,
        "EnableIPv4": (None, True),
        "Ingress": OFF,
        "ConfigOnly": OFF,
        "ConfigFrom": (None, {}, {"Network": ""}),
        "CheckDuplicate": ANY_BOOLEAN,
    }


class Nothing(Body):
    """The empty object that some clients send where no body is expected."""


def parse_body[B: Body](model: type[B], raw: bytes) -> B:
    """Parse a body into its model. Raises Refusal that names every fault's place, never a value."""
    try:
        return model.model_validate(parse_object(raw))
    except ValidationError as error:
        raise Refusal("body", f"the body is not allowed: {faults(error)}", 403) from None
