"""The handlers of all routes: find the object, check it against the rules, ask the engine anew."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from docker_guard.calls.streams import Streams
from docker_guard.engine import host_memory
from docker_guard.engine.asked_once import AskedOnce
from docker_guard.engine.client import Engine, Reply
from docker_guard.engine.engine_work import ENDING_SECONDS, MAKING_SECONDS, EngineWork
from docker_guard.engine.pinned_images import PinnedImages, missing
from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.rules import container_rules, labels
from docker_guard.rules.allowlist import Allowlist, AllowlistReader
from docker_guard.rules.bodies import Body, CreateContainer, CreateNetwork
from docker_guard.rules.network_rules import judge_network
from docker_guard.rules.policy import Policy
from docker_guard.rules.start_rules import judge_before_start
from docker_guard.sessions import answers
from docker_guard.sessions.answers import Answer, Shown
from docker_guard.sessions.deadlines import Deadlines
from docker_guard.sessions.listing import Listing
from docker_guard.sessions.ownership import Owned, OwnedObjects
from docker_guard.sessions.places import Places
from docker_guard.sessions.session_networks import SessionNetworks

_JUDGED_SECONDS = 1.0
"""What was judged longer ago is judged again before it is done, if the allowlist has changed.

Reading the file again for each creation and start would add 2 % to the guard's work for a session.
"""

_VERSION_SECONDS = 1.0
"""How long the engine's version is remembered: it starts two programs to find out the versions of its own."""


@dataclass(slots=True)
class Asked:
    """A request with a route: canonical values only. `objects` collects the full ids it concerns."""

    shows: Shown
    reference: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    objects: list[str] = field(default_factory=list)


class Gate:
    """The handlers of `routes.ROUTES`. Each raises Refusal or EngineDownError."""

    def __init__(
        self,
        engine: Engine,
        allowlist: AllowlistReader,
        policy: Policy,
        deadlines: Deadlines,
        managers: Sequence[Engine] = (),
    ) -> None:
        """Take the guards of the fleet's managers, for a worker."""
        self._engine = engine
        self._allowlist = allowlist
        self._policy = policy
        self._deadlines = deadlines
        self._networks = SessionNetworks(engine, policy, deadlines, managers)
        self._places = Places(engine, policy, deadlines, self._networks)
        self._streams = Streams(engine, policy)
        self._making = EngineWork(policy, MAKING_SECONDS)
        self._ending = EngineWork(policy, ENDING_SECONDS, ending=True)
        self._listing = EngineWork(policy, ENDING_SECONDS)
        self._objects = OwnedObjects(engine, policy)
        self._images = PinnedImages(engine, policy)
        self._version = AskedOnce(
            partial(engine.call, "GET"), policy.engine_seconds, keeps_seconds=_VERSION_SECONDS
        )

    async def ping(self, _: Asked) -> Answer:
        """Return whether the engine answers, the API version to use, and what memory the host can give."""
        reply = await self._engine.call("GET", "/_ping")
        if reply.status != 200:
            raise EngineDownError(f"GET /_ping: the engine answered {reply.status}")
        headers = [
            ("Api-Version", await self._engine.api()),
            ("Ostype", "linux"),
            ("Cache-Control", "no-cache"),
        ]
        if (available := host_memory.available_bytes()) is not None:
            headers.append((host_memory.HEADER, str(available)))
        return Answer(200, b"OK", "text/plain; charset=utf-8", tuple(headers))

    async def version(self, asked: Asked) -> Answer:
        """Return the engine's version."""
        return answers.answer_from(await self._version.of("/version"), asked.shows)

    async def list_containers(self, asked: Asked) -> Answer:
        """List the containers of sessions that also match the client's filters."""
        query = {key: asked.query[key] for key in ("all", "limit", "filters") if key in asked.query}
        return await self._list("/containers/json", Listing.of(query), asked)

    async def list_networks(self, asked: Asked) -> Answer:
        """List the networks of sessions that also match the client's filters.

        Whoever asks for overlays alone gets an empty list only of an engine whose swarm has a leader.
        """
        listing = Listing.of(asked.query)
        answer = await self._list("/networks", listing, asked)
        wanted = json.loads(asked.query.get("filters", "{}"))
        if wanted.get("driver") == ["overlay"] and not json.loads(answer.body):
            async with self._engine.under_a_leader():
                answer = await self._list("/networks", listing, asked)
        return answer

    async def create_container(self, asked: Asked) -> Answer:
        """Create the judged container, by the image's ID, while its place is held."""
        assert isinstance(asked.body, CreateContainer)
        judged_at, allowlist = time.monotonic(), self._allowlist.current()
        draft = container_rules.judge_container(asked.body, allowlist, self._policy)
        await self._images.config(draft.image, draft.named_by)
        name = asked.query.get("name") or f"dryrun-{secrets.token_hex(8)}"
        async with self._places.for_container(draft, name) as network:
            body = container_rules.body_in_session(draft, network)
            async with self._making.place(on_overlay=network.is_overlay):
                # Again: meanwhile the deadline may have passed, or the image been revoked.
                self._networks.check_in_time(network)
                if (current := self._changed_since(judged_at, allowlist)) is not None:
                    again = container_rules.judge_container(asked.body, current, self._policy)
                    if container_rules.body_in_session(again, network) != body:
                        raise Refusal("allowlist", "the allowlist changed meanwhile; try again", 503)
                reply = await self._engine.call("POST", "/containers/create", {"name": name}, body)
            asked.objects += _made(reply)
        if reply.status == 404 and "image" in reply.message.lower():
            raise missing(draft.image)
        return answers.answer_from(reply, asked.shows)

    async def create_network(self, asked: Asked) -> Answer:
        """Create a session's network while its place is held."""
        assert isinstance(asked.body, CreateNetwork)
        body = judge_network(asked.body, self._policy, self._deadlines.now())
        session_id, expires_at = body["Labels"][labels.SESSION_ID], body["Labels"][labels.EXPIRES_AT]
        async with self._places.for_network(session_id, expires_at):
            async with self._making.place(on_overlay=body["Driver"] == "overlay"):
                # Again: meanwhile its deadline may have passed, or another one been observed.
                judge_network(asked.body, self._policy, self._deadlines.now())
                self._deadlines.check_unmoved(session_id, expires_at)
                reply = await self._engine.call("POST", "/networks/create", body=body)
            made = _made(reply)
            asked.objects += made
            answer = answers.answer_from(reply, asked.shows)
            self._deadlines.observe(session_id, expires_at)
            if body["Driver"] == "overlay":
                await self._networks.until_allocated(made[0])
        return answer

    async def inspect_container(self, asked: Asked) -> Answer:
        """Show a session's container."""
        owned = await self._container(asked)
        reply = await self._engine.call("GET", f"/containers/{owned.id}/json")
        return answers.answer_from(reply, asked.shows, owned.id)

    async def inspect_network(self, asked: Asked) -> Answer:
        """Show a session's network, and of the containers in it only those of sessions."""
        owned = await self._network(asked)
        reply = await self._engine.call("GET", f"/networks/{owned.id}")
        answer = answers.answer_from(reply, asked.shows, owned.id)
        found = json.loads(answer.body)
        if found.get("Containers"):
            async with self._listing.place():
                listed = await self._engine.listed("/containers/json", labels.SESSION_ID)
            own = {each["Id"] for each in answers.own_only(listed)}
            found["Containers"] = {key: each for key, each in found["Containers"].items() if key in own}
        return Answer(200, json.dumps(found).encode())

    async def start(self, asked: Asked) -> Answer:
        """Start a container that keeps the rules and whose session's deadline has not passed."""
        owned = await self._container(asked)
        inspected, network = await asyncio.gather(
            self._engine.call("GET", f"/containers/{owned.id}/json"),
            self._networks.of(owned.session_id),
        )
        if inspected.status != 200:
            raise Refusal("absent", f"No such container: {asked.reference}", 404)
        found, judged_at, allowlist = inspected.json(), time.monotonic(), self._allowlist.current()
        if found["State"]["Running"]:
            return Answer(304)
        image = allowlist.image(found["Image"], self._policy)
        config = await self._images.config(image, image.row.id)
        judge_before_start(found, config, network, allowlist, self._policy)
        role = found["Config"]["Labels"][labels.ROLE]
        async with (
            self._places.for_start(owned.id, owned.session_id, role),
            self._making.place(on_overlay=network.is_overlay),
        ):
            # Again, as for a creation.
            self._networks.check_in_time(network)
            if (current := self._changed_since(judged_at, allowlist)) is not None:
                judge_before_start(found, config, network, current, self._policy)
            reply = await self._engine.call("POST", f"/containers/{owned.id}/start")
        return answers.answer_from(reply, asked.shows, owned.id)

    async def stop(self, asked: Asked) -> Answer:
        """Stop a session's container."""
        owned = await self._container(asked)
        grace, longest = int(asked.query.get("t", "0")), self._policy.stop_seconds
        if grace > longest:
            raise Refusal("query", f"the grace period is at most {longest} s")
        path = f"/containers/{owned.id}/stop"
        async with self._ending.place():
            reply = await self._engine.call("POST", path, asked.query, seconds=longest)
        return answers.answer_from(reply, asked.shows, owned.id)

    async def remove_container(self, asked: Asked) -> Answer:
        """Remove a session's container, always with its anonymous volumes."""
        owned = await self._container(asked)
        query = {"v": "1", "force": asked.query.get("force", "0")}
        async with self._ending.place():
            reply = await self._engine.call("DELETE", f"/containers/{owned.id}", query)
        if reply.status in (204, 404):
            self._objects.forget(owned)
        return answers.answer_from(reply, asked.shows, owned.id)

    async def remove_network(self, asked: Asked) -> Answer:
        """Remove a session's network."""
        owned = await self._network(asked)
        async with self._ending.place():
            reply = await self._engine.call("DELETE", f"/networks/{owned.id}")
        if reply.status in (204, 404):
            self._objects.forget(owned)
        return answers.answer_from(reply, asked.shows)

    async def stats(self, asked: Asked) -> Answer:
        """Read the counters of a session's container once."""
        if "stream" not in asked.query:
            raise Refusal("query", "stats are read once, not streamed: stream=false is required")
        owned = await self._container(asked)
        query = {"stream": "0", "one-shot": asked.query.get("one-shot", "0")}
        reply = await self._engine.call("GET", f"/containers/{owned.id}/stats", query)
        return answers.answer_from(reply, asked.shows, owned.id)

    async def logs(self, asked: Asked) -> Answer:
        """Read or follow the log of a session's container."""
        owned = await self._container(asked)
        query = {key: value for key, value in asked.query.items() if key != "details"}
        return await self._streams.logs(owned.id, query)

    async def wait(self, asked: Asked) -> Answer:
        """Wait for a session's container; the answer's head is sent at once."""
        owned = await self._container(asked)
        return await self._streams.wait(owned.id, asked.query)

    async def attach(self, asked: Asked) -> Answer:
        """Open the standard input of a session's collector, if the allowlist grants it one."""
        if not {"stdin", "stream"} <= asked.query.keys():
            raise Refusal("query", "stdin=true and stream=true are required, and nothing is read back")
        owned = await self._container(asked)
        reply = await self._engine.call("GET", f"/containers/{owned.id}/json")
        if reply.status != 200:
            raise Refusal("absent", f"No such container: {asked.reference}", 404)
        found = reply.json()
        image = self._allowlist.current().image(found["Image"], self._policy)
        if not (image.row.stdin and found["Config"]["OpenStdin"]):
            raise Refusal("input", f"{image.name} takes no input")
        if not found["State"]["Running"]:
            raise Refusal("input", "the container does not run", 409)
        return await self._streams.input(owned.id)

    async def events(self, asked: Asked) -> Answer:
        """Follow the events of the sessions' containers."""
        return await self._streams.events(asked.query)

    async def _list(self, path: str, listing: Listing, asked: Asked) -> Answer:
        async with self._listing.place():
            reply = await self._engine.call("GET", path, listing.query)
        return answers.answer_from(reply, lambda listed: listing.chosen(asked.shows(listed)))

    def _changed_since(self, judged_at: float, allowlist: Allowlist) -> Allowlist | None:
        """Return what the allowlist is now, if a request was judged a while ago and by another one."""
        if time.monotonic() - judged_at < _JUDGED_SECONDS:
            return None
        current = self._allowlist.current()
        return None if current is allowlist else current

    async def _container(self, asked: Asked) -> Owned:
        return self._note(asked, await self._objects.container(asked.reference))

    async def _network(self, asked: Asked) -> Owned:
        return self._note(asked, await self._objects.network(asked.reference))

    @staticmethod
    def _note(asked: Asked, owned: Owned) -> Owned:
        asked.objects.append(owned.id)
        return owned


def _made(reply: Reply) -> list[str]:
    """Return the id of what was created. Raises EngineDownError if the engine created it without an id."""
    if reply.status != 201:
        return []
    found = reply.json()
    if not isinstance(found, dict) or not isinstance(found.get("Id"), str):
        raise EngineDownError("the engine created something and did not return its id")
    return [found["Id"]]
