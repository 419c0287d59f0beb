"""The subset of Compose that a template may use: images, their environment, their order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Literal, cast

from dryrun_orchestrator.catalog.allowlist import Allowlist
from dryrun_orchestrator.catalog.alternatives import read_alternatives
from dryrun_orchestrator.catalog.variants import Alternative
from dryrun_orchestrator.catalog.yaml_tree import Node, shown

MAX_SERVICES = 20
"""Target containers of a session (the record: max_containers)."""

type Condition = Literal["service_started", "service_healthy"]

TOP_LEVEL: Mapping[str, bool] = {"name": False, "services": True, "x-dryrun": True}
"""Keys of the document → whether they are required."""

_SERVICE_KEYS = {
    "image": True,
    "environment": False,
    "depends_on": False,
    "x-ground-truth": False,
    "x-variants": False,
}

_OWN_NETWORK = "every session has one network of its own, which the orchestrator makes"
_LIMITS = "limits are the same for every container and are set by the orchestrator"
_IMAGE_OWN = "it is the image's own"
_ISOLATION = "isolation is the same for every container and is set by the orchestrator"
_GRANTED = "the allowlist says what an image is granted"
_NO_HOST = "containers get nothing of the host and no volumes"
_ONE_FILE = "a template is one file"
_OPAQUE = "names are chosen by the orchestrator, so that they tell collectors nothing"

WHY_NOT_TOP_LEVEL: Mapping[str, str] = {
    "version": "Compose itself calls it obsolete; leave it out",
    "networks": _OWN_NETWORK,
    "volumes": _NO_HOST,
    "configs": _NO_HOST,
    "secrets": _NO_HOST,
    "include": _ONE_FILE,
}
"""Top-level keys of Compose that templates may not use, with reasons."""

_WHY_NOT: Mapping[str, str] = {
    key: why
    for keys, why in (
        ("build pull_policy platform", "images are built before, never at run time"),
        ("command entrypoint user working_dir healthcheck stop_signal stop_grace_period init", _IMAGE_OWN),
        ("privileged security_opt userns_mode cgroup cgroup_parent runtime use_api_socket", _ISOLATION),
        ("pid ipc uts isolation sysctls cap_drop group_add", _ISOLATION),
        ("cap_add read_only tmpfs shm_size", _GRANTED),
        ("volumes volumes_from devices device_cgroup_rules gpus storage_opt", _NO_HOST),
        ("configs secrets credential_spec", _NO_HOST),
        ("ports", "nothing is published outside the session's network"),
        ("expose", "every port is open to the session's network already"),
        ("networks network_mode mac_address dns dns_search dns_opt", _OWN_NETWORK),
        ("extra_hosts links external_links", _OWN_NETWORK),
        ("mem_limit memswap_limit mem_reservation mem_swappiness cpus cpu_shares cpu_quota", _LIMITS),
        ("cpu_period cpu_rt_runtime cpu_rt_period cpuset cpu_count cpu_percent pids_limit", _LIMITS),
        ("ulimits deploy scale logging oom_kill_disable oom_score_adj blkio_config", _LIMITS),
        ("container_name hostname domainname", _OPAQUE),
        ("labels annotations label_file", "labels are the orchestrator's bookkeeping"),
        ("restart", "a target that ends stays ended, so that the report can tell"),
        ("env_file extends", _ONE_FILE),
        ("profiles", "every service of a template runs"),
        ("tty stdin_open attach develop post_start pre_stop", "nobody works inside a target"),
    )
    for key in keys.split()
}
"""Service keys of Compose that templates may not use, with reasons."""

_SERVICE_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LONE_DOLLAR = re.compile(r"(?<!\$)(?:\$\$)*\$(?!\$)")


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another service that must be started, or healthy, first."""

    service: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service of the file."""

    name: str
    depends_on: tuple[Dependency, ...]
    alternatives: tuple[Alternative, ...]
    """The service as written, then its variants."""


def unescape(text: str) -> str:
    """Return the text with `$$` as `$`. Raises ValueError for any other `$`: nothing is interpolated.

    Source: Compose specification, "Interpolation".
    """
    if _LONE_DOLLAR.search(text):
        raise ValueError("holds a single '$': variables are not replaced here; write '$$' for a dollar sign")
    return text.replace("$$", "$")


def check_project_name(node: Node) -> None:
    """Report a top-level `name` that Compose would refuse; it is otherwise ignored."""
    name = node.text()
    if name is not None and not _PROJECT_NAME.fullmatch(name):
        node.fault("is not a Compose project name: lower-case letters, digits, '-' and '_'")


def read_services(node: Node, allowlist: Allowlist) -> tuple[ServiceEntry, ...]:
    """Read `services`: return the valid ones, each after those it depends on.

    All faults go into the node's report; with a fault, the result is incomplete.
    """
    entries = node.entries()
    if isinstance(node.content, dict) and not 1 <= len(entries) <= MAX_SERVICES:
        node.fault(f"has {len(entries)} services; a template has 1 to {MAX_SERVICES}")
    read: dict[str, ServiceEntry] = {}
    graph: dict[str, list[str]] = {}
    for name, entry in entries.items():
        if not _SERVICE_NAME.fullmatch(name):
            entry.fault(
                "is not a service name: a DNS label (RFC 1035) has 1 to 63 lower-case letters, digits and "
                "'-', and starts with a letter, so that it cannot be taken for an address"
            )
        fields = entry.fields(_SERVICE_KEYS, _WHY_NOT)
        dependencies = _read_dependencies(fields["depends_on"], entries) if "depends_on" in fields else ()
        graph[name] = [dependency.service for dependency in dependencies]
        alternatives = read_alternatives(fields, allowlist)
        if alternatives:
            read[name] = ServiceEntry(name, dependencies, alternatives)
    return tuple(read[name] for name in _order(graph, entries) if name in read)


def _read_dependencies(node: Node, services: Mapping[str, Node]) -> tuple[Dependency, ...]:
    found: dict[str, Condition] = {}
    if isinstance(node.content, list):
        for item in node.items():
            name = item.text()
            if name is None:
                continue
            if name in found:
                item.fault(f"names {shown(name)} a second time")
            elif _is_known(item, name, services):
                found[name] = "service_started"
    else:
        for name, entry in node.entries().items():
            fields = entry.fields({"condition": True}, {"restart": "services are started once"})
            condition = fields["condition"].text() if "condition" in fields else None
            known = _is_known(entry, name, services)
            if condition not in {None, "service_started", "service_healthy"}:
                fields["condition"].fault(
                    f"is {shown(str(condition))}; known are service_started and service_healthy"
                )
            elif known and condition is not None:
                found[name] = cast("Condition", condition)
    return tuple(Dependency(service, condition) for service, condition in found.items())


def _is_known(node: Node, name: str, services: Mapping[str, Node]) -> bool:
    if name not in services:
        node.fault(f"there is no service {shown(name)}; known are {', '.join(map(shown, services))}")
        return False
    return True


def _order(graph: dict[str, list[str]], entries: Mapping[str, Node]) -> list[str]:
    """Sort `graph` (service → those it waits for), dependencies first; report every cycle."""
    while True:
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            # Each in the cycle is waited for by the next. The sorter reports only the first cycle that it
            # meets: cut it and search for another.
            circle: list[str] = error.args[1]
            waits = " -> ".join(reversed(circle))
            entries[circle[1]].entries()["depends_on"].fault(
                f"services wait for each other in a circle: {waits}"
            )
            graph[circle[1]].remove(circle[0])
