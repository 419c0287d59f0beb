"""A `docker` for tests: keeps its images in a file beside itself and notes every call."""

import fcntl
import hashlib
import json
import pathlib
import re
import subprocess
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


def add(name, label, volumes=()):
    digest = label.split("=", 1)[1].strip('"')
    with Images() as images:
        images[name] = {
            "Id": "sha256:" + hashlib.sha256((name + digest).encode()).hexdigest(),
            "Size": 1000,
            "RepoTags": [name],
            "Config": {
                "Labels": {"discovery.folder.digest": digest},
                "Volumes": {volume: {} for volume in volumes} or None,
            },
        }


def inspect(names):
    with Images() as images:
        sys.stdout.write(json.dumps([images[name] for name in names if name in images]) + "\n")
        missing = [name for name in names if name not in images]
    for name in missing:
        sys.stderr.write(f"Error response from daemon: No such image: {name}\n")
    return bool(missing)


def build(arguments):
    def value(option):
        return arguments[arguments.index(option) + 1]

    if "--build-context" in arguments:
        staged = pathlib.Path(value("--build-context").removeprefix("wheels="))
        names = sorted(str(path.relative_to(staged)) for path in staged.rglob("*.py"))
        (HERE / "staged").write_text("\n".join(names))
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
    if arguments[:2] == ["image", "inspect"]:
        return inspect(arguments[2:])
    if arguments[0] == "build":
        return build(arguments)
    if arguments[0] == "import":
        (HERE / "imported").write_bytes(sys.stdin.buffer.read())
        return add(arguments[-1], arguments[arguments.index("--change") + 1].removeprefix("LABEL "))
    if arguments[0] == "run":
        return subprocess.run(["sh", "-c", arguments[-1]], check=False).returncode
    return f"fake docker: no command {arguments[0]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
