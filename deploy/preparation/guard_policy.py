"""What is wrong with a guard's policy, which is the operator's, beside what its deployment is set to."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from advice import Hint

from docker_guard.rules.policy import ConfigurationError, Policy


@dataclass(frozen=True)
class Beside:
    """What a guard's policy has to go with."""

    sessions_at_once: int
    pool: IPv4Network
    pool_is: str
    """The same in words, with where it is set."""
    client: IPv4Address | None
    """Where the orchestrator asks from over TCP."""
    recreate: str
    """The command that begins the installed guard: in an upgrade the one before it, started again, would not
    know a new field."""
    restart: str


def advice_on_policy(file: Path, beside: Beside) -> Iterator[str]:
    """Yield what sessions would fail by, and what they would be able to reach."""
    try:
        policy = Policy.load(file)
    except ConfigurationError as error:
        yield f"{error}; the guard does not start with it"
        return
    if beside.client and IPv4Network(beside.client) not in policy.client_networks:
        yield f'check "client_networks" in {file}: the orchestrator is {beside.client}/32'
    if policy.sessions <= (most := beside.sessions_at_once):
        yield f'check "sessions" in {file}: it has to be above ORCHESTRATOR_SESSIONS_AT_ONCE, {most}'
    if said := seccomp_of(policy, file):
        yield type(said)(
            f"{said}, then: {beside.recreate}; until then the engine's own seccomp profile lets containers "
            "use more of the kernel than they need"
        )
    if not beside.pool.subnet_of(policy.subnet_pool):
        yield (
            f'check "subnet_pool" in {file}: it is {policy.subnet_pool}, and {beside.pool_is}, so the guard '
            f"refuses every session; write {beside.pool} there, then: {beside.restart}"
        )


def seccomp_of(policy: Policy, file: Path) -> str:
    """Return what a policy without the guard's own profile lacks; a Hint where the operator has chosen so."""
    if policy.seccomp != "engine":
        return ""
    said = f'write "seccomp": "narrow" into {file}'
    return Hint(said) if "seccomp" in policy.model_fields_set else said
