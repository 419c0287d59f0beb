"""Which container or network a reference means: only those that carry a session's label can be meant."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docker_guard.engine.asked_once import AskedOnce
from docker_guard.engine.client import Engine
from docker_guard.refusal import Refusal
from docker_guard.rules import labels
from docker_guard.rules.policy import Policy
from docker_guard.sessions import answers
from docker_guard.sessions.listing import names_of

_CONTAINERS, _NETWORKS = "/containers/json", "/networks"
_ID_LENGTH = 64
_MOST_REMEMBERED = 4096
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Owned:
    """A container or network that carries a session's label."""

    id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class _Listed:
    """The containers, or the networks, of all sessions."""

    by_name: Mapping[str, list[Owned]]
    owned: list[Owned]

    def meant(self, reference: str) -> Owned | None:
        """Return the object with this name, else the one whose id begins with it; None if ambiguous."""
        found = self.by_name.get(reference) or [each for each in self.owned if each.id.startswith(reference)]
        return found[0] if len(found) == 1 else None


class OwnedObjects:
    """The containers and networks of sessions; one that was found once is remembered by its id."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        """Ask this engine."""
        self._engine = engine
        # A list costs the engine as much for one name as for all of them.
        self._listed = {
            listing: AskedOnce(self._list, policy.engine_seconds) for listing in (_CONTAINERS, _NETWORKS)
        }
        self._known: dict[tuple[str, str], Owned] = {}

    async def container(self, reference: str) -> Owned:
        """Find a container by id, beginning of an id, or name. Raises a 404 Refusal for any other."""
        return await self._find(_CONTAINERS, "/containers/{}/json", reference, "No such container: {}")

    async def network(self, reference: str) -> Owned:
        """Find a network by id, beginning of an id, or name. Raises a 404 Refusal for any other."""
        return await self._find(_NETWORKS, "/networks/{}", reference, "network {} not found")

    def forget(self, owned: Owned) -> None:
        """Forget what was removed."""
        for listing in (_CONTAINERS, _NETWORKS):
            self._known.pop((listing, owned.id), None)

    async def _find(self, listing: str, inspection: str, reference: str, absent: str) -> Owned:
        """Resolve a reference once, among objects of sessions."""
        met_foreign = False
        if (listing, reference) in self._known:
            owned: Owned | None = self._known[listing, reference]
        elif len(reference) == _ID_LENGTH and _HEX.issuperset(reference):
            reply = await self._engine.call("GET", inspection.format(reference))
            found = reply.json() if reply.status == 200 else {}
            owned = _owned(found) if found.get("Id") == reference else None
            met_foreign = owned is None and reply.status == 200
        else:
            owned = (await self._listed[listing].of(listing)).meant(reference)
        if owned is None:
            # Foreign or absent: only the audit log distinguishes them.
            raise Refusal("ownership" if met_foreign else "absent", absent.format(reference), 404)
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[listing, owned.id] = owned
        return owned

    async def _list(self, listing: str) -> _Listed:
        listed = await self._engine.listed(listing, labels.SESSION_ID)
        by_name, everything = defaultdict[str, list[Owned]](list), list[Owned]()
        for each in answers.own_only(listed):
            if (owned := _owned(each)) is not None:
                everything.append(owned)
                for name in names_of(each):
                    by_name[name.removeprefix("/")].append(owned)
        return _Listed(by_name, everything)


def _owned(found: Mapping[str, Any]) -> Owned | None:
    found_labels = found["Labels"] if "Labels" in found else (found.get("Config") or {}).get("Labels")
    session_id = labels.session_of(found_labels)
    return Owned(found["Id"], session_id) if session_id else None
