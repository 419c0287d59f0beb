"""The file of settings, `.env`: read by Compose alone, and changed by whole lines."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

DEPLOY = Path(__file__).resolve().parents[1]
NO_FILE = Path("/dev/null")
"""Where systemd runs the services, which have their settings in their units."""
FIRST_LINE = "# Settings of compose.yaml. Behind a reverse proxy: deploy/prepare --public-url URL\n"

type Json = dict[str, Any]


class RefusedError(Exception):
    """Something would not work; the text says what, where, why and what to do next."""


@dataclass(frozen=True)
class SettingsFile:
    """A file of settings as it is, or as it would be. Raises RefusedError for what Compose does not read."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, which may be missing."""
        if path.exists() and not path.is_file() and path != NO_FILE:
            raise RefusedError(
                f"{path} is not a file; name one, or {NO_FILE} where systemd runs the services"
            )
        if not path.parent.is_dir():
            raise RefusedError(f"{path}: there is no folder {path.parent}; make it, or name another file")
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except UnicodeDecodeError:
            text = "\0"
        # Compose drops the mark, and takes a NUL for a letter.
        if "\0" in text or text.startswith("\ufeff"):
            raise RefusedError(f"{path} is not plain text: save it as UTF-8 without a byte order mark")
        return cls(path, text)

    @cached_property
    def values(self) -> Mapping[str, str]:
        """The variables that it sets, whatever this shell has: Compose shows them as those of a service."""
        if not self.text:
            return {}
        shell = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_CONFIG") if name in os.environ}
        return environment_of(self._compose(shell, {"env_file": ["settings"]}), "all")

    @cached_property
    def model(self) -> Json:
        """What `docker compose up` would run with it, started from this shell."""
        return self._compose(os.environ)

    def with_values(self, wanted: Mapping[str, str]) -> Self:
        """Return the file with these values; an empty one takes a variable away, and nothing else changes."""
        changed = {name: value for name, value in wanted.items() if self.values.get(name, "") != value}
        text = self.text or FIRST_LINE
        text += "" if text.endswith("\n") else "\n"
        for name, value in changed.items():
            if name in self.values:
                text = re.sub(rf"(?m)^[ \t]*(export[ \t]+)?{name}[ \t]*[=:].*\n", "", text)
            text += f"{name}={shlex.quote(value)}\n" if value else ""
        new = type(self)(self.path, text) if changed else self
        expected = {name: value for name, value in {**self.values, **changed}.items() if value}
        if expected != {name: value for name, value in new.values.items() if value}:
            lines = " ".join(f"{name}={value}" for name, value in changed.items())
            raise RefusedError(
                f"{self.path} cannot be given {lines} without another change; write that by hand"
            )
        return new

    def write(self) -> None:
        """Write all of it or nothing. An earlier file's owner and mode stay; a new one is for its owner."""
        draft = self.path.with_name(f".{self.path.name}.draft")
        draft.unlink(missing_ok=True)
        draft.touch(0o600)
        try:
            draft.write_text(self.text, encoding="utf-8")
            if self.path.exists():
                before = self.path.stat()
                os.chown(draft, before.st_uid, before.st_gid)
                draft.chmod(before.st_mode)
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)

    def _names_of(self, part: str) -> list[str]:
        """Return the variables whose lines have this text, as far as they can be read."""
        lines = re.findall(r"(?m)^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*[=:](.*)$", self.text)
        return [name for name, value in lines if part and part in value]

    def _compose(self, shell: Mapping[str, str], service: Json | None = None) -> Json:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "settings")
            file.write_text(self.text, encoding="utf-8")
            options = ["--env-file", str(file)]
            if service:
                options = ["--env-file", os.devnull, "--project-directory", folder, "--file", "-"]
            if shutil.which("docker") is None:
                raise RefusedError(
                    f"docker is missing, whose Compose reads {self.path}; install Docker Engine"
                )
            done = subprocess.run(
                ["docker", "compose", *options, "config", "--format=json"],
                input=json.dumps({"name": "all", "services": {"all": {"image": "none", **(service or {})}}}),
                cwd=DEPLOY, env=shell, capture_output=True, text=True, check=False,
            )  # fmt: skip
        if done.returncode:
            reason = done.stderr.strip().replace(str(file), str(self.path))
            if service is None:
                # Compose names values only. What has the same word may be a password: it is not shown.
                value = re.compile(rf"(?<!\w){re.escape(reason.rpartition(' ')[2])}(?!\w)")
                given = [name for name, each in self.values.items() if value.search(each)]
            else:
                # It quotes what it cannot read: that may be a password, or a line of a key.
                reason, _, quoted = re.sub(r"'", '"', reason).partition('"')
                reason, given = reason.rstrip(" :"), self._names_of(quoted.rstrip('"'))
            reason += f" ({', '.join(given)})" if given else ""
            raise RefusedError(f"docker compose cannot use {self.path}: {reason}")
        found: Json = json.loads(done.stdout)
        return found


def environment_of(model: Json, service: str) -> dict[str, str]:
    """Return the variables that a service gets; those without a value are left out."""
    given = model["services"][service].get("environment") or {}
    # Compose writes a dollar as its own files have it.
    return {name: value.replace("$$", "$") for name, value in given.items() if value is not None}
