"""Misbehaving targets and collectors: one image whose environment chooses how, one template for each way."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bad_collectors import built_collectors
from local_stack import ROOT
from quick_stack import QUICK

KEY = "MISBEHAVIOUR"
_PROGRAM = """
import os, socket, sys, time
way = os.environ.get("MISBEHAVIOUR", "")
listener = socket.create_server(("", 8080))
open("/run/odd/ready", "w").write("" if way != "never-healthy" else "no")
time.sleep(0.3)
end = time.monotonic() + 120
held = []
try:
    if way == "exit":
        time.sleep(1.5)
        sys.exit(7)
    while time.monotonic() < end:
        if way == "memory":
            held.append(b"x" * 16_000_000)
        elif way == "forks":
            for _ in range(200):
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
        elif way == "disk":
            with open("/run/odd/full", "ab") as file:
                file.write(b"x" * 1_000_000)
        elif way == "log":
            sys.stdout.write("x" * 100_000 + "\\n")
            continue
        time.sleep(0.02)
except OSError as error:
    print(error, flush=True)
    time.sleep(120)
"""
_DOCKERFILE = """FROM discovery/python:13
COPY odd.py /
USER nobody
STOPSIGNAL SIGKILL
HEALTHCHECK --interval=2s --timeout=2s --retries=2 --start-period=10s --start-interval=300ms \\
    CMD ["sh", "-c", "test -e /run/odd/ready && ! grep -q no /run/odd/ready"]
CMD ["python3", "-S", "/odd.py"]
"""
WAYS = ("exit", "never-healthy", "memory", "forks", "disk", "log")
COLLECTORS = ("crash", "hang", "flood", "garbage")


@contextmanager
def misbehaving(
    docker: Callable[..., str], folder: Path, tag: str, collector_seconds: int
) -> Iterator[tuple[Path, Path, Path, list[str]]]:
    """Build the images; yields the folders of templates and collectors, the allowlist, and the images.

    Templates are `quick`, `odd-WAY` for each of WAYS, and `collector-NAME` for each of COLLECTORS.
    """
    image = f"discovery/test-odd:{tag}"
    context = folder / "odd"
    context.mkdir()
    (context / "odd.py").write_text(_PROGRAM, encoding="utf-8")
    (context / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
    identity = docker("build", "--quiet", f"--tag={image}", str(context))
    try:
        with built_collectors(docker, folder, collector_seconds) as collectors:
            templates = folder / "templates"
            templates.mkdir()
            for name, content in _templates(image).items():
                (templates / f"{name}.yml").write_text(content, encoding="utf-8")
            allowlist = folder / "allowlist.json"
            row = {
                "id": identity,
                "environment": [KEY],
                "tmpfs": {"/run/odd": {"size": 8 << 20, "uid": 65534, "gid": 65534, "mode": "0700"}},
            }
            allowlist.write_text(json.dumps(_allowed(collectors, {image: row})), encoding="utf-8")
            yield templates, folder / "collectors", allowlist, [image, *collectors]
    finally:
        docker("rmi", image)


def _templates(image: str) -> dict[str, str]:
    odd = {
        f"odd-{way}": QUICK
        + f"  odd:\n    image: {image}\n    environment: {{{KEY}: {way}}}\n    x-ground-truth:\n"
        '      - {kind: host, key: ""}\n'
        for way in WAYS
    }
    collectors = {
        f"collector-{name}": QUICK.replace(
            "collectors: [network, database]", f"collectors: [network, {name}]"
        )
        for name in COLLECTORS
    }
    return {"quick": QUICK, **odd, **collectors}


def _allowed(collectors: Mapping[str, str], others: Mapping[str, object]) -> dict[str, object]:
    allowlist: dict[str, object] = json.loads((ROOT / ".dryrun" / "allowlist.json").read_text("utf-8"))
    images = allowlist["images"]
    assert isinstance(images, dict)
    keys = images["discovery/test-collector-network:1.0"]["environment"]
    needed = {
        name: row
        for name, row in images.items()
        if name.startswith("discovery/test-collector-")
        or name in {"discovery/test-nginx:1.26", "discovery/test-redis:8.0"}
    }
    added = {name: {"id": identity, "environment": keys} for name, identity in collectors.items()}
    return allowlist | {"images": needed | added | dict(others)}
