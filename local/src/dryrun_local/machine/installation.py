"""Where things lie: the checkout's folders and the state that runs leave in `.dryrun/`."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

OWNER_MARK = "DRYRUN_INSTALLATION"
"""Environment variable that every process of an installation carries, with the path of its state."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One checkout with its state. Two at the same time need two checkouts (or two states)."""

    root: Path
    state: Path

    @classmethod
    def here(cls) -> "Installation":
        """Return the checkout that this package is installed from (the set-up installs it editable).

        `DRYRUN_STATE` names another folder for the state, so that a second installation can run beside.
        """
        root = Path(__file__).resolve().parents[4]
        chosen = os.environ.get("DRYRUN_STATE")
        return cls(root, Path(chosen).resolve() if chosen else root / ".dryrun")

    @property
    def allowlist(self) -> Path:
        """The file that pins every image that sessions may start."""
        return self.state / "allowlist.json"

    @property
    def logs(self) -> Path:
        """One file for each program."""
        return self.state / "logs"

    @property
    def reports(self) -> Path:
        """Reports of demos, as Markdown and JSON."""
        return self.state / "reports"

    @property
    def api_token_file(self) -> Path:
        """What a client shows to the approval API; `DRYRUN_API_TOKEN_FILE` may point here."""
        return self.state / "secrets" / "api-token"

    def program(self, name: str) -> Path:
        """Return the path of a command of the Python environment."""
        return self.root / ".venv" / "bin" / name

    def prepare(self) -> None:
        """Make the state's folders. Only this user may look into them: they hold secrets."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        for folder in (self.logs, self.reports, self.api_token_file.parent):
            folder.mkdir(exist_ok=True)

    def secret(self, name: str) -> Path:
        """Return the file of a secret, made at first use: 256 random bits for this installation only."""
        path = self.api_token_file.with_name(name)
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32) + "\n")
        return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
