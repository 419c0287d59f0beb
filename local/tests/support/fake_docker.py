"""A `docker` for tests: keeps its images in a file beside itself and notes every call.

Tests start it hundreds of times: what only some commands need is imported there, which halves a start.
"""

import fcntl
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent


class Images:
    """The images there are, by name; exclusive while it is open."""

    def __enter__(self):
        self._lock = (HERE / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        path = HERE / "images.json"
        self._images = json.loads(path.read_text()) if path.exists() else {}
        return self._images

    def __exit__(self, *_):
        (HERE / "images.json").write_text(json.dumps(self._images))
        self._lock.close()


def sha256(content):
    import hashlib

    return "sha256:" + hashlib.sha256(content).hexdigest()


def layer_of(text):
    """Return what looks like a tar where its head is looked at."""
    return f"{text:257}ustar"


def add(name, label, volumes=()):
    layer = layer_of(f"the files of {name}")
    settings = {
        "Labels": {"discovery.folder.digest": label.split("=", 1)[1].strip('"')},
        "Volumes": {volume: {} for volume in volumes} or None,
    }
    config = json.dumps({"config": settings, "rootfs": {"diff_ids": [sha256(layer.encode())]}})
    with Images() as images:
        register(images, name, config, [layer])


def register(images, name, config, layers):
    images[name] = {
        "Id": sha256(config.encode()),
        "Size": 1000,
        "RepoTags": [name],
        "Config": json.loads(config)["config"],
        "RootFS": {"Layers": [sha256(layer.encode()) for layer in layers]},
        "blobs": [config, *layers],
    }


def save(names):
    import io
    import tarfile

    with Images() as images, tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        for blob in [*(blob for name in names for blob in images[name]["blobs"]), "what nobody needs"]:
            content = blob.encode()
            head = tarfile.TarInfo("blobs/sha256/" + sha256(content).removeprefix("sha256:"))
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))


def load():
    import tarfile

    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        files = {member.name: tar.extractfile(member).read().decode() for member in tar}
    with Images() as images:
        for image in json.loads(files["manifest.json"]):
            layers = [files[layer] for layer in image["Layers"]]
            for name in image["RepoTags"]:
                register(images, name, files[image["Config"]], layers)


def inspect(names):
    with Images() as images:
        sys.stdout.write(json.dumps([images[name] for name in names if name in images]) + "\n")
        missing = [name for name in names if name not in images]
    for name in missing:
        sys.stderr.write(f"Error response from daemon: No such image: {name}\n")
    return bool(missing)


def remove(names):
    with Images() as images:
        missing = [name for name in names if images.pop(name, None) is None]
    return bool(missing)


def build(arguments):
    import re

    def value(option):
        return arguments[arguments.index(option) + 1]

    if "--build-context" in arguments:
        staged = pathlib.Path(value("--build-context").removeprefix("wheels="))
        names = sorted(str(path.relative_to(staged)) for path in staged.rglob("*.py"))
        (HERE / "staged").write_text("\n".join(names))
    with (HERE / "modes").open("a") as modes:
        for path in sorted(pathlib.Path(arguments[-1]).rglob("*")):
            modes.write(f"{path.name} {path.stat().st_mode & 0o777:o}\n")
    dockerfile = (pathlib.Path(arguments[-1]) / "Dockerfile").read_text()
    if "RUN false" in dockerfile:
        sys.stdout.write("".join(f"step {number}\n" for number in range(100)))
        sys.stdout.write("ERROR: RUN false did not complete\n")
        return 1
    add(value("--tag"), value("--label"), re.findall(r"VOLUME (\S+)", dockerfile))
    return 0


def main(arguments):
    with (HERE / "calls").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    if (HERE / "down").exists():
        return "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    does = {
        "image": lambda: {"inspect": inspect, "rm": remove}[arguments[1]](arguments[2:]),
        "build": lambda: build(arguments),
        "save": lambda: save(arguments[1:]),
        "load": load,
        "import": lambda: imported(arguments),
        "run": lambda: run(arguments[-1]),
    }
    return does.get(arguments[0], lambda: f"fake docker: no command {arguments[0]}")()


def run(command):
    import subprocess

    return subprocess.run(["sh", "-c", command], check=False).returncode


def imported(arguments):
    (HERE / "imported").write_bytes(sys.stdin.buffer.read())
    add(arguments[-1], arguments[arguments.index("--change") + 1].removeprefix("LABEL "))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
