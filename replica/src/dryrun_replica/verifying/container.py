"""One stand-in, started as a session starts it but without any network, and asked from inside."""

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

LABEL = "discovery.stand-in.verification"
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_HEALTHY_SECONDS = 180
_COMMAND_SECONDS = 90
_MOST_OUTPUT = 4 * 1024 * 1024


class VerificationError(Exception):
    """The check itself could not be made: the stand-in does not start, or the engine refuses."""


@dataclass(frozen=True, slots=True)
class Container:
    """A running stand-in."""

    id: str

    async def ask(self, *command: str, text: str = "", root: bool = False) -> str:
        """Run `command` inside and return what it prints, however it ends.

        As root with all capabilities only where processes are read: a stand-in's own user may not see all.
        """
        rights = ["--privileged", "--user=0"] if root else []
        output = await _docker("exec", "-i", *rights, self.id, *command, text=text, must_succeed=False)
        return output[:_MOST_OUTPUT]


@contextlib.asynccontextmanager
async def running(row: Mapping[str, Any]) -> AsyncIterator[Container]:
    """Start the image of an allowlist's row and remove it in the end. Raises VerificationError."""
    if not _IMAGE_ID.fullmatch(str(row["id"])):
        raise VerificationError("the row pins no image id")
    name = f"stand-in-verification-{secrets.token_hex(8)}"
    try:
        container = (await _docker("run", *_options(name, row), str(row["id"]))).strip()
        await _wait_until_healthy(container)
        yield Container(container)
    finally:
        # Shielded: whoever is interrupted still removes what was started.
        await asyncio.shield(_docker("rm", "--force", "--volumes", name, must_succeed=False))


def _options(name: str, row: Mapping[str, Any]) -> list[str]:
    options = ["--detach", f"--name={name}", f"--label={LABEL}", "--network=none", "--pull=never"]
    options += ["--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=512m", "--memory-swap=512m"]
    options += ["--cpus=0.5", "--pids-limit=100", "--log-opt=max-size=10m"]
    options += [f"--cap-add={capability}" for capability in row.get("capabilities", ())]
    if row.get("read_only", True):
        options.append("--read-only")
    for path, mount in row.get("tmpfs", {}).items():
        owner = f"uid={mount['uid']},gid={mount['gid']},mode={mount['mode']}"
        options += ["--tmpfs", f"{path}:rw,noexec,nosuid,nodev,size={mount['size']},{owner}"]
    return options


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
            told = " ".join(" ".join([*said, log]).split())
            raise VerificationError(f"it does not become healthy: {told[-600:] or 'it says nothing'}")
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
