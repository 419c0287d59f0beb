"""Collectors that misbehave, each an image of its own, made for one test run and removed after."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_stack import ROOT

CHATTY_LINES = 40
_PREAMBLE = """
import json, sys, time
def say(**line): print(json.dumps(line), flush=True)
def host(number): say(type="discovery", kind="host", key=f"10.213.0.{number}", data={}, confidence=1)
"""
PROGRAMS: Mapping[str, str] = {
    # Says something true, then dies of a defect.
    "crash": """
host(1)
sys.exit("cannot go on: the answer of 10.213.0.1 makes no sense")
""",
    # Neither ends nor listens to who asks it to.
    "hang": """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
host(1)
while True: time.sleep(1)
""",
    "flood": """
number = 0
while True:
    host(number)
    number += 1
""",
    # Ends well, and most of what it says is not in the contract's words.
    "garbage": """
out = sys.stdout.buffer
out.write(b"\\xff\\xfe\\x00 no text\\n")
out.write(b"\\x1b[2J\\x1b]0;title\\x07 escapes\\n")
out.write(b'{"type":"discovery","kind":"host"}\\n')
out.write(b'{"type":"order","do":"something"}\\n')
out.write(b"[" * 20_000 + b"\\n")
out.write(b"a" * 70_000 + b"\\n")
out.flush()
host(1)
say(type="end", discoveries=1)
""",
    # Well behaved, and slow enough for something to happen meanwhile.
    "chatty": f"""
for number in range({CHATTY_LINES}):
    host(number)
    time.sleep(0.05)
say(type="end", discoveries={CHATTY_LINES})
""",
}
GARBAGE_LINES = 6


@contextmanager
def built_collectors(
    docker: Callable[..., str],
    folder: Path,
    timeout_seconds: int,
    programs: Mapping[str, str] = PROGRAMS,
) -> Iterator[dict[str, str]]:
    """Make them and write the folder `collectors`: theirs and the real ones. Yields image → id.

    `hang` is given `timeout_seconds`, the others more than they need.
    """
    manifests = folder / "collectors"
    manifests.mkdir()
    for real in (ROOT / "collectors" / "manifests").glob("*.yml"):
        (manifests / real.name).write_bytes(real.read_bytes())
    ids: dict[str, str] = {}
    # Committed: to build them takes six times as long, since each build starts a builder of its own.
    origin = docker("create", "discovery/python:13", "true")
    try:
        for name, program in programs.items():
            command = json.dumps(["python3", "-S", "-c", _PREAMBLE + program])
            # Of this run: another one may be under way on the same engine.
            image = f"discovery/test-collector-{name}:run-{os.getpid()}"
            changes = ("--change=USER nobody", f"--change=CMD {command}")
            ids[image] = docker("commit", *changes, origin, image)
            limit = timeout_seconds if name == "hang" else 60
            (manifests / f"{name}.yml").write_text(
                f"name: {name}\nimage: {image}\nsummary: Misbehaves in tests.\nprovides: [host]\n"
                f"timeout_seconds: {limit}\n",
                encoding="utf-8",
            )
        yield ids
    finally:
        docker("rm", origin)
        docker("rmi", *ids)


def write_allowlist(path: Path, collectors: Mapping[str, str], **others: Mapping[str, object]) -> None:
    """Write the installation's allowlist with images added to it, by name; collectors by their ids."""
    allowlist = json.loads((ROOT / ".dryrun" / "allowlist.json").read_text(encoding="utf-8"))
    keys = allowlist["images"]["discovery/test-collector-network:1.0"]["environment"]
    added = {name: {"id": image_id, "environment": keys} for name, image_id in collectors.items()}
    allowlist["images"] |= added | others
    path.write_text(json.dumps(allowlist), encoding="utf-8")
