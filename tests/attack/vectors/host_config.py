"""Every field of the engine's HostConfig that gives power, one row for each way to ask for it."""

import json
from typing import Any, Final

from vectors.row import HARMLESS, Vector, collector, container, host, text_top

CLASS: Final = "HostConfig"
CLOSED_MODEL: Final = "closed body model: a field that is not in it is refused"
FIXED: Final = "fixed value: the field may only say what the guard sets anyway"
CEILING: Final = "limits present and within the ceilings"
MOUNTS: Final = "no mounts but the allowlist's sized tmpfs"
CAPABILITIES: Final = "capabilities from the image's list only"
NAMESPACES: Final = "no namespace shared with host or another container"
TOP_LEVEL: Final = "closed body model: HostConfig's fields at the top level (honoured by Engines up to 26)"


def _row(name: str, what: str, rule: str = CLOSED_MODEL, *, alone: bool = True, **fields: Any) -> Vector:
    return Vector(f"host-{name}", what, rule, body=host(**fields), alone=alone)


def _local_volume(**options: str) -> dict[str, Any]:
    return {
        "Type": "volume",
        "Source": "attack-@NONCE@",
        "Target": "/host",
        "VolumeOptions": {"NoCopy": True, "DriverConfig": {"Name": "local", "Options": options}},
    }


_MOUNTS = (
    _row("binds-root", "Binds: the host's root", MOUNTS, Binds=["/:/host"]),
    _row(
        "binds-socket", "Binds: the engine's socket, read-only", MOUNTS, Binds=["/var/run/docker.sock:/s:ro"]
    ),
    _row("binds-volume", "Binds: a named volume", MOUNTS, alone=False, Binds=["attack-@NONCE@:/data"]),
    _row("binds-propagation", "Binds: shared propagation", MOUNTS, Binds=["/mnt:/mnt:rshared"]),
    _row(
        "mount-bind", "Mounts: bind of /", MOUNTS, Mounts=[{"Type": "bind", "Source": "/", "Target": "/host"}]
    ),
    _row(
        "mount-bind-lowercase",
        "Mounts: bind, keys in lower case",
        MOUNTS,
        Mounts=[{"type": "bind", "source": "/", "target": "/host"}],
    ),
    _row(
        "mount-volume",
        "Mounts: anonymous volume",
        MOUNTS,
        alone=False,
        Mounts=[{"Type": "volume", "Target": "/data"}],
    ),
    _row(
        "mount-local-volume-bind",
        "Mounts: local volume whose driver options bind /",
        MOUNTS,
        alone=False,
        Mounts=[_local_volume(type="none", o="bind", device="/")],
    ),
    _row(
        "mount-local-volume-overlay",
        "Mounts: local volume that overlays the host's /etc",
        MOUNTS,
        alone=False,
        Mounts=[_local_volume(type="overlay", o="lowerdir=/etc:/root", device="overlay")],
    ),
    _row(
        "mount-local-volume-nfs",
        "Mounts: local volume that mounts from the network",
        MOUNTS,
        alone=False,
        Mounts=[_local_volume(type="nfs", o="addr=127.0.0.1", device=":/")],
    ),
    _row(
        "mount-tmpfs",
        "Mounts: a tmpfs that the allowlist does not name",
        MOUNTS,
        Mounts=[{"Type": "tmpfs", "Target": "/more", "TmpfsOptions": {"SizeBytes": 2**36}}],
    ),
    _row(
        "mount-npipe",
        "Mounts: named pipe",
        MOUNTS,
        alone=False,
        Mounts=[{"Type": "npipe", "Source": "/pipe", "Target": "/pipe"}],
    ),
    _row(
        "mount-cluster",
        "Mounts: cluster volume",
        MOUNTS,
        alone=False,
        Mounts=[{"Type": "cluster", "Source": "x", "Target": "/x"}],
    ),
    _row(
        "mount-create-source",
        "Mounts: bind that creates its source on the host",
        MOUNTS,
        alone=False,
        Mounts=[
            {
                "Type": "bind",
                "Source": "/tmp/attack-@NONCE@",
                "Target": "/x",
                "BindOptions": {"CreateMountpoint": True},
            }
        ],
    ),
    _row("volumes-from", "VolumesFrom a foreign container", MOUNTS, VolumesFrom=["@VICTIM_ID@"]),
    _row("volume-driver", "VolumeDriver", MOUNTS, VolumeDriver="local"),
    _row(
        "container-id-file",
        "ContainerIDFile writes on the client's side",
        alone=True,
        ContainerIDFile="/etc/x",
    ),
)

_TMPFS = (
    _row("tmpfs-elsewhere", "Tmpfs on a path outside the list", MOUNTS, Tmpfs={"/etc": "rw,size=1048576"}),
    _row("tmpfs-more", "Tmpfs beside the list's own", MOUNTS, Tmpfs={"/scratch": "size=1048576", "/b": ""}),
    _row("tmpfs-exec", "Tmpfs that can hold programs", MOUNTS, Tmpfs={"/scratch": "rw,exec,size=1048576"}),
    _row("tmpfs-suid", "Tmpfs with suid and dev", MOUNTS, Tmpfs={"/scratch": "rw,suid,dev,size=1048576"}),
    _row("tmpfs-huge", "Tmpfs of 64 GiB", MOUNTS, Tmpfs={"/scratch": "rw,noexec,nosuid,nodev,size=64g"}),
    _row("tmpfs-unlimited", "Tmpfs without a size", MOUNTS, Tmpfs={"/scratch": ""}),
    _row(
        "tmpfs-two-sizes",
        "Tmpfs whose last size counts",
        MOUNTS,
        Tmpfs={"/scratch": "rw,noexec,nosuid,nodev,size=1048576,mode=0755,uid=33,gid=33,size=8g"},
    ),
    _row(
        "tmpfs-dotted",
        "Tmpfs by a path that is another",
        MOUNTS,
        Tmpfs={"/scratch/../etc": "rw,noexec,nosuid,nodev,size=1048576,mode=0755,uid=33,gid=33"},
    ),
    _row(
        "tmpfs-trailing-slash",
        "Tmpfs by a second spelling of its path",
        MOUNTS,
        Tmpfs={"/scratch/": "rw,noexec,nosuid,nodev,size=1048576,mode=0755,uid=33,gid=33"},
    ),
    Vector("host-tmpfs-absent", "Tmpfs left out", MOUNTS, body=host(Tmpfs=None), answers=HARMLESS),
)

_CAPABILITIES = (
    _row("privileged", "Privileged", FIXED, Privileged=True),
    _row("cap-add-all", "CapAdd ALL", CAPABILITIES, CapAdd=["ALL"]),
    _row("cap-add-all-lowercase", "CapAdd all", CAPABILITIES, CapAdd=["all"]),
    _row("cap-add-prefixed", "CapAdd CAP_SYS_ADMIN", CAPABILITIES, CapAdd=["CAP_SYS_ADMIN"]),
    _row("cap-add-lowercase", "CapAdd sys_ptrace", CAPABILITIES, CapAdd=["sys_ptrace"]),
    _row("cap-add-mixed", "CapAdd cap_Net_Admin", CAPABILITIES, CapAdd=["cap_Net_Admin"]),
    _row("cap-add-net-raw", "CapAdd NET_RAW for a target", CAPABILITIES, CapAdd=["NET_RAW"]),
    _row("cap-drop-absent", "CapDrop left out", CAPABILITIES, CapDrop=None),
    _row("cap-drop-empty", "CapDrop empty", CAPABILITIES, CapDrop=[]),
    _row("cap-drop-some", "CapDrop without ALL", CAPABILITIES, CapDrop=["MKNOD"]),
    _row("capabilities-old", "Capabilities of API 1.40", Capabilities=["CAP_SYS_ADMIN"]),
    Vector(
        "host-cap-add-collector",
        "CapAdd beside a collector's NET_RAW",
        CAPABILITIES,
        body=collector(CapAdd=["NET_RAW", "SYS_MODULE"]),
        alone=True,
    ),
    Vector(
        "host-cap-add-twice",
        "CapAdd with the list's own twice, once prefixed",
        CAPABILITIES,
        body=collector(CapAdd=["NET_RAW", "CAP_NET_RAW"]),
        answers=HARMLESS,
    ),
)

_SECURITY = (
    _row("security-opt-absent", "SecurityOpt left out", FIXED, SecurityOpt=None),
    _row("security-opt-off", "no-new-privileges:false", FIXED, SecurityOpt=["no-new-privileges:false"]),
    _row(
        "security-opt-off-last",
        "no-new-privileges, taken back by a second entry",
        FIXED,
        SecurityOpt=["no-new-privileges:true", "no-new-privileges=false"],
    ),
    _row(
        "security-opt-seccomp",
        "seccomp unconfined",
        FIXED,
        SecurityOpt=["no-new-privileges:true", "seccomp=unconfined"],
    ),
    _row(
        "security-opt-seccomp-profile",
        "seccomp profile of the client's own",
        FIXED,
        SecurityOpt=["no-new-privileges:true", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'],
    ),
    _row(
        "security-opt-apparmor",
        "AppArmor unconfined",
        FIXED,
        SecurityOpt=["no-new-privileges:true", "apparmor=unconfined"],
    ),
    _row(
        "security-opt-label",
        "SELinux labels off",
        FIXED,
        SecurityOpt=["no-new-privileges:true", "label=disable"],
    ),
    _row(
        "security-opt-systempaths",
        "system paths unmasked",
        FIXED,
        alone=False,
        SecurityOpt=["no-new-privileges:true", "systempaths=unconfined"],
    ),
    _row("masked-paths", "MaskedPaths emptied", MaskedPaths=[]),
    _row("readonly-paths", "ReadonlyPaths emptied", ReadonlyPaths=[]),
    _row("read-only-off", "ReadonlyRootfs off", "root read-only as the allowlist says", ReadonlyRootfs=False),
    _row(
        "read-only-absent",
        "ReadonlyRootfs left out",
        "root read-only as the allowlist says",
        ReadonlyRootfs=None,
    ),
    _row("runtime", "another runtime", FIXED, alone=True, Runtime="io.containerd.runc.v2"),
    _row("runtime-runc", "a runtime named at all", FIXED, alone=False, Runtime="crun"),
    _row("isolation", "Isolation", FIXED, alone=False, Isolation="hyperv"),
    _row("sysctls", "Sysctls", Sysctls={"net.ipv4.ip_forward": "1"}),
    _row("sysctls-kernel", "Sysctls of the kernel", alone=True, Sysctls={"kernel.core_pattern": "|/bin/sh"}),
    _row("annotations", "Annotations for the runtime", Annotations={"run.oci.keep_original_groups": "1"}),
)

_NAMESPACES = (
    _row("network-host", "NetworkMode host", NAMESPACES, NetworkMode="host"),
    _row("network-none", "NetworkMode none", NAMESPACES, NetworkMode="none"),
    _row("network-bridge", "NetworkMode bridge", NAMESPACES, NetworkMode="bridge"),
    _row("network-default", "NetworkMode default", NAMESPACES, NetworkMode="default"),
    _row("network-empty", "NetworkMode left out", NAMESPACES, NetworkMode=None),
    _row("network-container", "NetworkMode of a victim", NAMESPACES, NetworkMode="container:@VICTIM_ID@"),
    _row("network-foreign", "NetworkMode of a foreign network", NAMESPACES, NetworkMode="@VICTIM_NETWORK@"),
    _row("pid-host", "PidMode host", NAMESPACES, PidMode="host"),
    _row("pid-container", "PidMode of a victim", NAMESPACES, PidMode="container:@VICTIM_ID@"),
    _row("ipc-host", "IpcMode host", NAMESPACES, IpcMode="host"),
    _row("ipc-container", "IpcMode of a victim", NAMESPACES, IpcMode="container:@VICTIM_NAME@"),
    _row("ipc-shareable", "IpcMode shareable", NAMESPACES, IpcMode="shareable"),
    _row("uts-host", "UTSMode host", NAMESPACES, UTSMode="host"),
    _row("userns-host", "UsernsMode host", NAMESPACES, UsernsMode="host"),
    _row("cgroupns-host", "CgroupnsMode host", NAMESPACES, CgroupnsMode="host"),
    _row("cgroup-container", "Cgroup of a victim", NAMESPACES, Cgroup="container:@VICTIM_ID@"),
    _row("cgroup-parent", "CgroupParent outside the engine's", NAMESPACES, CgroupParent="/"),
    _row("links", "Links to a victim", NAMESPACES, Links=["@VICTIM_NAME@:db"]),
    _row("group-add", "GroupAdd", GroupAdd=["docker"]),
)

_DEVICES = (
    _row(
        "devices",
        "Devices: a disk of the host",
        Devices=[{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}],
    ),
    _row("device-cgroup-rules", "DeviceCgroupRules", DeviceCgroupRules=["a *:* rwm"]),
    _row(
        "device-requests",
        "DeviceRequests: all devices of a driver",
        DeviceRequests=[{"Driver": "cdi", "DeviceIDs": ["vendor.com/device=all"], "Count": 0}],
    ),
)

_NETWORK = (
    _row("port-bindings", "PortBindings", PortBindings={"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}]}),
    _row("publish-all", "PublishAllPorts", FIXED, PublishAllPorts=True),
    _row("dns", "Dns", Dns=["10.9.9.9"]),
    _row("dns-options", "DnsOptions", DnsOptions=["ndots:9"]),
    _row("dns-search", "DnsSearch", DnsSearch=["example.org"]),
    _row("extra-hosts", "ExtraHosts", ExtraHosts=["host:host-gateway"]),
)

_LIMITS = (
    _row("memory-absent", "Memory left out", CEILING, Memory=None, MemorySwap=None),
    _row("memory-zero", "Memory 0 is no limit", CEILING, Memory=0, MemorySwap=0),
    _row("memory-above", "Memory a byte above", CEILING, Memory=536870913, MemorySwap=536870913),
    _row("memory-negative", "Memory below zero", CEILING, alone=False, Memory=-1, MemorySwap=-1),
    _row("memory-float", "Memory as a float", "strict types", alone=False, Memory=536870912.5),
    _row("memory-text", "Memory as a text", "strict types", alone=False, Memory="536870912"),
    _row("memory-exponent", "Memory as 1e300", "strict types", alone=False, Memory=1e300),
    _row("memory-huge", "Memory beyond 64 bits", "strict types", alone=False, Memory=2**64 + 536870912),
    _row("memory-true", "Memory as true", "strict types", alone=False, Memory=True),
    _row("swap-unlimited", "MemorySwap -1", CEILING, MemorySwap=-1),
    _row("swap-absent", "MemorySwap left out gives as much again", CEILING, MemorySwap=None),
    _row("swap-more", "MemorySwap above Memory", CEILING, MemorySwap=2**31),
    _row(
        "swap-beside-memory",
        "MemorySwap within the ceiling, far above Memory: all of it swaps",
        CEILING,
        Memory=8 * 2**20,
        MemorySwap=2**29,
    ),
    _row("swappiness", "MemorySwappiness 100", FIXED, MemorySwappiness=100),
    _row("reservation", "MemoryReservation", MemoryReservation=2**28),
    _row("kernel-memory-tcp", "KernelMemoryTCP", KernelMemoryTCP=2**28),
    _row("cpus-absent", "NanoCpus left out", CEILING, NanoCpus=None),
    _row("cpus-zero", "NanoCpus 0 is no limit", CEILING, NanoCpus=0),
    _row("cpus-above", "NanoCpus above", CEILING, NanoCpus=2_000_000_000),
    _row("cpus-one", "NanoCpus 1: the engine rounds the quota to none", CEILING, NanoCpus=1),
    _row("cpus-rounded-to-none", "NanoCpus just below a quota of 1 µs: none", CEILING, NanoCpus=9_999),
    _row("cpus-below-kernels", "NanoCpus below the kernel's least quota", CEILING, NanoCpus=9_999_999),
    _row(
        "cpu-quota",
        "CpuQuota in place of NanoCpus",
        CEILING,
        NanoCpus=None,
        CpuQuota=800000,
        CpuPeriod=100000,
    ),
    _row("cpu-period", "CpuPeriod", alone=False, CpuPeriod=1000),
    _row("cpu-shares", "CpuShares", CpuShares=262144),
    _row("cpuset", "CpusetCpus", CpusetCpus="0"),
    _row("cpuset-mems", "CpusetMems", CpusetMems="0"),
    _row("cpu-realtime", "CpuRealtimeRuntime", CpuRealtimeRuntime=950000, CpuRealtimePeriod=1000000),
    _row("pids-absent", "PidsLimit left out", CEILING, PidsLimit=None),
    _row("pids-zero", "PidsLimit 0 is no limit", CEILING, PidsLimit=0),
    _row("pids-unlimited", "PidsLimit -1", CEILING, PidsLimit=-1),
    _row("pids-above", "PidsLimit 101", CEILING, PidsLimit=101),
    _row("blkio-weight", "BlkioWeight", BlkioWeight=1000),
    _row("blkio-device", "BlkioDeviceReadBps", BlkioDeviceReadBps=[{"Path": "/dev/sda", "Rate": 1}]),
    _row("ulimits", "Ulimits", Ulimits=[{"Name": "core", "Soft": -1, "Hard": -1}]),
    _row("shm-size", "ShmSize of 64 GiB", ShmSize=2**36),
    _row("oom-score", "OomScoreAdj spares the container", OomScoreAdj=-1000),
    _row("oom-score-lower", "OomScoreAdj lets others of the host die first", OomScoreAdj=999),
    _row("oom-kill-disable", "OomKillDisable", OomKillDisable=True),
    _row("storage-opt", "StorageOpt", alone=False, StorageOpt={"size": "500G"}),
    _row("init", "Init puts another program in", FIXED, Init=True),
)

_LIFE = (
    _row("restart-always", "RestartPolicy always", FIXED, RestartPolicy={"Name": "always"}),
    _row(
        "restart-on-failure",
        "RestartPolicy on-failure",
        FIXED,
        RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 5},
    ),
    _row("auto-remove", "AutoRemove takes the logs", FIXED, AutoRemove=True),
    _row("console-size", "ConsoleSize", FIXED, ConsoleSize=[4096, 4096]),
)

_LOGS = (
    _row("log-none", "LogConfig none", "log driver and size", LogConfig={"Type": "none", "Config": {}}),
    _row("log-default", "LogConfig left out", "log driver and size", LogConfig=None),
    _row(
        "log-syslog",
        "LogConfig syslog sends to the network",
        "log driver and size",
        LogConfig={"Type": "syslog", "Config": {"syslog-address": "udp://10.9.9.9:514"}},
    ),
    _row(
        "log-fluentd",
        "LogConfig fluentd",
        "log driver and size",
        LogConfig={"Type": "fluentd", "Config": {"fluentd-address": "unix:///var/run/docker.sock"}},
    ),
    _row(
        "log-unbounded",
        "json-file without a size",
        "log driver and size",
        LogConfig={"Type": "json-file", "Config": {}},
    ),
    _row(
        "log-huge",
        "json-file of 1 TiB",
        "log driver and size",
        LogConfig={"Type": "json-file", "Config": {"max-size": "1t", "max-file": "1"}},
    ),
    _row(
        "log-many-files",
        "json-file, a thousand files",
        "log driver and size",
        LogConfig={"Type": "json-file", "Config": {"max-size": "10485760", "max-file": "1000"}},
    ),
    _row(
        "log-options",
        "json-file with env and tag",
        "log driver and size",
        LogConfig={
            "Type": "json-file",
            "Config": {"max-size": "10485760", "max-file": "1", "env-regex": ".*", "labels-regex": ".*"},
        },
    ),
    _row(
        "log-number",
        "max-size as a number",
        "strict types",
        alone=False,
        LogConfig={"Type": "json-file", "Config": {"max-size": 1}},
    ),
)


def _top(name: str, what: str, field: str) -> Vector:
    return Vector(f"top-{name}", f"{what} at the top level", TOP_LEVEL, body=text_top(field), alone=True)


_TOP_LEVEL = (
    _top("privileged", "Privileged", '"Privileged":true'),
    _top("binds", "Binds", '"Binds":["/:/host"]'),
    _top("mounts", "Mounts", '"Mounts":[{"Type":"bind","Source":"/","Target":"/h"}]'),
    _top("cap-add", "CapAdd", '"CapAdd":["ALL"]'),
    _top("pid-mode", "PidMode", '"PidMode":"host"'),
    _top("network-mode", "NetworkMode", '"NetworkMode":"host"'),
    _top("devices", "Devices", '"Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x"}]'),
    _top("security-opt", "SecurityOpt", '"SecurityOpt":["seccomp=unconfined"]'),
    _top("memory", "Memory", '"Memory":0'),
    _top("restart", "RestartPolicy", '"RestartPolicy":{"Name":"always"}'),
    _top("lower-case", "privileged in lower case", '"privileged":true'),
)

_SHAPES = (
    Vector(
        "host-pids-null",
        "PidsLimit null",
        CEILING,
        body=json.dumps(host(PidsLimit=100)).replace('"PidsLimit": 100', '"PidsLimit": null'),
        alone=True,
    ),
    Vector(
        "host-absent",
        "HostConfig left out: the engine's defaults",
        CEILING,
        body=container(HostConfig=None),
        alone=True,
    ),
    Vector("host-empty", "HostConfig empty", CEILING, body=container(HostConfig={}), alone=True),
    Vector("host-list", "HostConfig as a list", "strict types", body=container(HostConfig=[])),
    Vector(
        "host-text", "HostConfig as a text", "strict types", body=container(HostConfig='{"Privileged":true}')
    ),
    Vector(
        "host-unknown",
        "a field that no engine knows yet",
        CLOSED_MODEL,
        body=host(FutureMount="/"),
        alone=True,
    ),
    Vector("host-null-member", "null inside a list", "strict types", body=host(CapDrop=["ALL", None])),
)

VECTORS: Final = (
    *_MOUNTS,
    *_TMPFS,
    *_CAPABILITIES,
    *_SECURITY,
    *_NAMESPACES,
    *_DEVICES,
    *_NETWORK,
    *_LIMITS,
    *_LIFE,
    *_LOGS,
    *_TOP_LEVEL,
    *_SHAPES,
)
