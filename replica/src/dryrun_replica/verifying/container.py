"""One stand-in, alone on an internal network as a session's, and asked from inside."""

import asyncio
import contextlib
import ipaddress
import json
import random
import re
import secrets
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

LABEL = "discovery.stand-in.verification"
"""On every container and network of a verification; its value says whose they are."""
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_POOL = ipaddress.ip_network("10.214.128.0/17")
"""Subnets of verifications, beside the pool of sessions, so that both can run at once."""
_READERS_CAPABILITIES = ("DAC_OVERRIDE", "NET_RAW", "SYS_PTRACE")
"""What it takes to read any user's processes and their files, and for nmap to ask by UDP."""
_TRIES = 8
_HEALTHY_SECONDS = 180
_COMMAND_SECONDS = 90
_MOST_OUTPUT = 4 * 1024 * 1024


class VerificationError(Exception):
    """The check itself could not be made: the stand-in does not start, or the engine refuses."""


@dataclass(frozen=True, slots=True)
class Container:
    """A running stand-in."""

    id: str
    image: str
    owner: str

    async def ask(self, *command: str, text: str = "", root: bool = False) -> str:
        """Run `command` inside and return what it prints, however it ends.

        As root where processes are read, since a stand-in's own user may not see all: in a container beside
        it, of its image, in its network and among its processes. A program of an image never gets more rights
        than a reader's; the image may be a stranger's.
        """
        if not root:
            output = await _docker("exec", "-i", self.id, *command, text=text, must_succeed=False)
            return output[:_MOST_OUTPUT]
        reader = f"stand-in-verification-{secrets.token_hex(6)}-reader"
        options = _reader_options(reader, self, command[0])
        try:
            output = await _docker("run", *options, *command[1:], text=text, must_succeed=False)
        finally:
            await _to_its_end(_docker("rm", "--force", "--volumes", reader, must_succeed=False))
        return output[:_MOST_OUTPUT]


@contextlib.asynccontextmanager
async def running(row: Mapping[str, Any], owner: str = "") -> AsyncIterator[Container]:
    """Start the image of an allowlist's row and remove it in the end. Raises VerificationError.

    `owner` is on the label, for `remove_leftovers`.
    """
    if not _IMAGE_ID.fullmatch(str(row["id"])):
        raise VerificationError("the row pins no image id")
    number = secrets.token_hex(6)
    name = f"stand-in-verification-{number}"
    try:
        await _make_network(name, f"dr-{number}", owner)
        container = (await _docker("run", *_options(name, row, owner), str(row["id"]))).strip()
        await _wait_until_healthy(container)
        yield Container(container, str(row["id"]), owner)
    finally:
        await _to_its_end(_remove(name))


async def remove_leftovers(owner: str) -> int:
    """Remove what a killed verification of this owner left, and nobody else's; return how many things.

    Nobody else may verify for this owner meanwhile. Raises VerificationError.
    """
    if not owner:
        raise ValueError("the owner is empty; name the one whose leftovers to remove")
    owned = f"--filter=label={LABEL}={owner}"
    containers = (await _docker("ps", "--all", "--quiet", "--no-trunc", owned)).split()
    for container in containers:
        await _docker("rm", "--force", "--volumes", container)
    networks = (await _docker("network", "ls", "--quiet", "--no-trunc", owned)).split()
    for network in networks:
        await _docker("network", "rm", network)
    return len(containers) + len(networks)


async def _make_network(name: str, bridge: str, owner: str) -> None:
    """Make a network without a way out; the host's rule on `dr-+` shuts it towards the host."""
    options = ["--internal", f"--label={LABEL}={owner}", f"--opt=com.docker.network.bridge.name={bridge}"]
    options += ["--opt=com.docker.network.bridge.inhibit_ipv4=true"]
    for attempt in range(1, _TRIES + 1):
        first = random.randrange(0, _POOL.num_addresses, 16)  # noqa: S311  any free one will do
        try:
            await _docker("network", "create", *options, f"--subnet={_POOL[first]}/28", name)
        except VerificationError as error:
            if attempt == _TRIES or "overlaps" not in str(error):
                raise
        else:
            return


async def _to_its_end(removal: Coroutine[Any, Any, object]) -> None:
    """Await a removal. Whoever is interrupted meanwhile, however often, still removes what was started."""
    task = asyncio.ensure_future(removal)
    interruption: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            interruption = error
    if interruption is not None:
        raise interruption from task.exception()
    task.result()


async def _remove(name: str) -> None:
    await _docker("rm", "--force", "--volumes", name, must_succeed=False)
    for _ in range(_TRIES):
        await _docker("network", "rm", name, must_succeed=False)
        # The engine may count a container for a moment after it has gone.
        if not (await _docker("network", "ls", "--quiet", f"--filter=name=^{name}$")).strip():
            return
        await asyncio.sleep(0.3)


def _options(name: str, row: Mapping[str, Any], owner: str) -> list[str]:
    options = ["--detach", *_bounded(name, owner), f"--network={name}"]
    options += [f"--cap-add={capability}" for capability in row.get("capabilities", ())]
    if row.get("read_only", True):
        options.append("--read-only")
    for path, mount in row.get("tmpfs", {}).items():
        whose = f"uid={mount['uid']},gid={mount['gid']},mode={mount['mode']}"
        options += ["--tmpfs", f"{path}:rw,noexec,nosuid,nodev,size={mount['size']},{whose}"]
    return options


def _reader_options(name: str, beside: Container, program: str) -> list[str]:
    options = ["-i", *_bounded(name, beside.owner)]
    options += [f"--network=container:{beside.id}", f"--pid=container:{beside.id}"]
    options += [f"--cap-add={each}" for each in _READERS_CAPABILITIES]
    return [*options, "--read-only", "--user=0", "--no-healthcheck", f"--entrypoint={program}", beside.image]


def _bounded(name: str, owner: str) -> list[str]:
    options = [f"--name={name}", f"--label={LABEL}={owner}", "--pull=never", "--cap-drop=ALL"]
    options += ["--security-opt=no-new-privileges", "--memory=512m", "--memory-swap=512m"]
    return [*options, "--cpus=0.5", "--pids-limit=100", "--log-opt=max-size=10m"]


async def _wait_until_healthy(container: str) -> None:
    deadline = time.monotonic() + _HEALTHY_SECONDS
    while True:
        state = json.loads(await _docker("inspect", "--format={{json .State}}", container))
        health = state.get("Health") or {}
        if health.get("Status") == "healthy":
            return
        if not state["Running"] or time.monotonic() > deadline:
            said = [probe["Output"].strip() for probe in (health.get("Log") or [])[-1:]]
            log = await _docker("logs", "--tail=5", container, must_succeed=False, errors=True)
            words = " ".join(" ".join([*said, log]).split())
            raise VerificationError(f"it does not become healthy: {words[-600:] or 'it says nothing'}")
        await asyncio.sleep(0.3)


async def _docker(*arguments: str, text: str = "", must_succeed: bool = True, errors: bool = False) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            "docker",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if errors else asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise VerificationError("the program docker is not installed") from None
    try:
        async with asyncio.timeout(_COMMAND_SECONDS):
            output, complaint = await process.communicate(text.encode())
    except TimeoutError:
        raise VerificationError(f"docker {arguments[0]} did not end within {_COMMAND_SECONDS} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if must_succeed and process.returncode:
        said = " ".join((complaint or b"").decode(errors="replace").split())
        raise VerificationError(f"docker {arguments[0]} failed: {said[-300:]}")
    return output.decode(errors="replace")
