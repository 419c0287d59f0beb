"""Sessions of a test's own beside the laboratory's, made through a guard and removed on the engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from guard_lab import SESSION_LABEL, Facts, Lab, timestamp
from guard_process import GuardProcess
from vectors import row


class LabSession:
    """One session; its requests are those of a well-behaved orchestrator."""

    def __init__(self, lab: Lab, guard: GuardProcess, seconds: float) -> None:
        self.lab = lab
        self.guard = guard
        self.facts: Facts = lab.facts | lab.new_session() | {"EXPIRES": timestamp(seconds)}
        self.label = f"{SESSION_LABEL}={self.facts['SESSION']}"

    def network_body(self, **changes: Any) -> Any:
        new = {f"NEW_{name}": self.facts[name] for name in ("SESSION", "SUBNET", "BRIDGE")}
        return self.lab.render_json(row.network(**changes), self.facts | new)

    def create_network(self) -> str:
        made = self.guard.must("POST", row.CREATE_NETWORK, self.network_body())
        return str(made["Id"])

    def body(self, body: Any = None, *, address: bool = False) -> Any:
        """Return a create's body, a target's by default, for this session; without an address of its own."""
        rendered = self.lab.render_json(row.container() if body is None else body, self.facts)
        if not address:
            for endpoint in rendered["NetworkingConfig"]["EndpointsConfig"].values():
                endpoint.pop("IPAMConfig")
        return rendered

    def create(self, name: str, body: Any = None) -> Any:
        """Ask for a container; return the answer."""
        return self.guard.ask("POST", f"{row.API}/containers/create?name={name}", self.body(body))

    def ids(self, kind: str = "containers") -> list[str]:
        """Return what the engine holds of this session."""
        return self.lab.engine.labelled(kind, self.label)

    def remove(self) -> None:
        for container in self.ids():
            self.lab.engine.remove_container(container)
        for network in self.ids("networks"):
            self.lab.engine.remove_network(network)


@contextmanager
def lab_session(lab: Lab, seconds: float = 900, *, guard: GuardProcess | None = None) -> Iterator[LabSession]:
    """Run a session with its network made; it is removed at the block's end, on the engine itself."""
    session = LabSession(lab, guard or lab.guard, seconds)
    try:
        session.create_network()
        yield session
    finally:
        session.remove()
