"""Builds the bodies of create requests; the isolation of every container is decided here.

Bodies come from the spec alone: what is not written here cannot be requested.
"""

from typing import Any

from dryrun_orchestrator.engine.protocol import ContainerSpec, NetworkSpec, Tmpfs


def network_body(spec: NetworkSpec) -> dict[str, Any]:
    """Return the body of `POST /networks/create`: internal, IPv4 only, no address of the host on its bridge.

    With `inhibit_ipv4` the bridge has no gateway address, through which containers would reach every
    service of the host. Engines of API 1.44 and later refuse two networks with one name.
    """
    if spec.reserved is not None:
        return _overlay_body(spec)
    return {
        "Name": spec.name,
        "Driver": "bridge",
        "Internal": True,
        "EnableIPv6": False,
        "Attachable": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": spec.subnet}]},
        "Options": {
            "com.docker.network.bridge.name": spec.bridge,
            "com.docker.network.bridge.inhibit_ipv4": "true",
        },
        "Labels": dict(spec.labels),
    }


def _overlay_body(spec: NetworkSpec) -> dict[str, Any]:
    """Return the body of an overlay, on which plain containers of every host have fixed addresses.

    Its bridges live in namespaces of the engines': no host has an address there. What the engines need for
    themselves, a gateway and an endpoint for each host, they take from `IPRange`.
    """
    return {
        "Name": spec.name,
        "Driver": "overlay",
        "Scope": "swarm",
        "Internal": True,
        "EnableIPv6": False,
        "Attachable": True,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": spec.subnet, "IPRange": spec.reserved}]},
        "Options": {"encrypted": ""} if spec.encrypted else {},
        "Labels": dict(spec.labels),
    }


def container_body(spec: ContainerSpec) -> dict[str, Any]:
    """Return the body of `POST /containers/create`.

    Entrypoint, user, health check and stop signal are the image's own, and so is the command unless the
    allowlist has argument lists for it. The hostname is the engine's default, twelve digits of the
    container's id, so that nothing inside reveals the service.
    """
    return {
        "Image": spec.image_id,
        **({"Cmd": list(spec.arguments)} if spec.arguments else {}),
        "Env": [f"{key}={value}" for key, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "AttachStdin": False,
        "OpenStdin": spec.stdin,
        "Tty": False,
        "HostConfig": _host_config(spec),
        "NetworkingConfig": {
            "EndpointsConfig": {
                spec.network: {
                    "IPAMConfig": {"IPv4Address": spec.address},
                    "Aliases": list(spec.aliases),
                }
            }
        },
    }


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    limits = spec.limits
    return {
        "NetworkMode": spec.network,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "SecurityOpt": ["no-new-privileges:true"],
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "Init": False,
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,  # equal to Memory: no swap
        "NanoCpus": limits.nano_cpus,
        "PidsLimit": limits.pids,
        # When memory runs out, the kernel ends containers of sessions before any other process.
        "OomScoreAdj": 1000,
        "ReadonlyRootfs": spec.read_only,
        "Tmpfs": {path: tmpfs_options(mount) for path, mount in spec.tmpfs.items()},
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(limits.log_file_bytes), "max-file": str(limits.log_files)},
        },
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "PublishAllPorts": False,
    }


def tmpfs_options(mount: Tmpfs) -> str:
    """Return a mount in the engine's format.

    >>> tmpfs_options(Tmpfs(size=1048576, uid=33, gid=33))
    'rw,noexec,nosuid,nodev,size=1048576,mode=0755,uid=33,gid=33'
    """
    return f"rw,noexec,nosuid,nodev,size={mount.size},mode={mount.mode},uid={mount.uid},gid={mount.gid}"
