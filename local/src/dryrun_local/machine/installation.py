"""Paths: the checkout's folders, and the state that runs leave in `.dryrun/`."""

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from dryrun_local.machine.errors import StateFolderError
from dryrun_local.machine.files import write_private

OWN_STATE = ".dryrun"
"""The folder of a checkout's own state."""
STATE = "DRYRUN_LOCAL_STATE"
"""Environment variable that names another folder for the state."""
STATE_OF_A_DEPLOYMENT = "DRYRUN_STATE"
"""Compose and deploy/prepare read this one, from the same shell: in one folder the two would mix secrets."""
OWNER_MARK = "DRYRUN_INSTALLATION"
"""Environment variable in every process of an installation; its value is the path of the state."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One checkout with its state. To run two at the same time, use two checkouts or two states."""

    root: Path
    state: Path
    added: tuple[Path, ...] = ()
    """Further folders with images, manifests, readers and templates, each of which may be missing."""
    collectors: frozenset[str] | None = None
    """Names of manifests' files: of these only the orchestrator reads; None: all."""

    @classmethod
    def here(cls, added: Iterable[Path] = ()) -> "Installation":
        """Return the checkout that this package is installed from (the set-up installs it editable).

        `DRYRUN_LOCAL_STATE` names another folder for the state, so that two installations can run at once.
        Raises StateFolderError for one in which this user cannot work, or if only a deployment's is named.
        """
        root = Path(__file__).resolve().parents[4]
        chosen = os.environ.get(STATE)
        if not chosen and os.environ.get(STATE_OF_A_DEPLOYMENT):
            raise StateFolderError(
                f"{STATE_OF_A_DEPLOYMENT} names the folder of a deployment, no longer that of dryrun-local; "
                f"unset it here, or name dryrun-local's own: export {STATE}={quote(str(root / OWN_STATE))}"
            )
        state = Path(chosen).resolve() if chosen else root / OWN_STATE
        require_own(state)
        folders = dict.fromkeys(folder.resolve() for folder in added)
        scanners = cls(root, state).scanners
        return cls(root, state, (*folders, *((scanners,) if scanners.is_dir() else ())))

    @property
    def templates(self) -> Path:
        """The folder of templates that the orchestrator reads; see `machine.added_folders`."""
        return self.state / "installed" / "templates" if self.added else self.root / "templates"

    @property
    def manifests(self) -> Path:
        """The folder of collector manifests that the orchestrator reads."""
        project = self.root / "collectors" / "manifests"
        is_project = not self.added and self.collectors is None
        return project if is_project else self.state / "installed" / "manifests"

    @property
    def scanners(self) -> Path:
        """Scanners taken over by `collector add`: an added folder that is always there, with their rows."""
        return self.state / "scanners"

    @property
    def allowlist(self) -> Path:
        """The file that pins each image a session may start."""
        return self.state / "allowlist.json"

    @property
    def replicas(self) -> Path:
        """Installed replicas: a folder each, with its rows of the allowlist and what it was made from."""
        return self.state / "replicas"

    @property
    def replica_templates(self) -> Path:
        """Their templates; the orchestrator reads them beside the project's own."""
        return self.replicas / "templates"

    @property
    def logs(self) -> Path:
        """Log files, one for each program."""
        return self.state / "logs"

    @property
    def reports(self) -> Path:
        """Reports of demos, as HTML, Markdown, CSV and JSON."""
        return self.state / "reports"

    @property
    def api_token_file(self) -> Path:
        """The token for clients of the approval API; `DRYRUN_API_TOKEN_FILE` may name this file."""
        return self.state / "secrets" / "api-token"

    def program(self, name: str) -> Path:
        """Return the path of a command in the Python environment."""
        return self.root / ".venv" / "bin" / name

    def prepare(self) -> None:
        """Create the state's folders, readable to this user only: they hold secrets."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        for folder in (self.logs, self.reports, self.api_token_file.parent):
            folder.mkdir(exist_ok=True)

    def secret(self, name: str) -> Path:
        """Return the file of a secret: 256 random bits of this installation, made where there are none."""
        path = self.api_token_file.with_name(name)
        if not _has_content(path):
            write_private(path, secrets.token_urlsafe(32) + "\n")
        return path

    def report_key(self) -> Path:
        """Return the file of the key that signs reports, made with `report-key.pub` where there is none."""
        path = self.api_token_file.with_name("report-key")
        if not _has_content(path):
            key = Ed25519PrivateKey.generate()
            private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
            public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
            path.with_suffix(".pub").write_text(f"{public.decode()} local\n", encoding="utf-8")
            write_private(path, private.decode())
        return path


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def require_own(state: Path, user: int | None = None) -> None:
    """Raise StateFolderError where `state` is no folder, or holds what another user (not root) owns.

    One command run by sudo leaves files there that no later one may read. `user` is this process's.
    """
    user = os.geteuid() if user is None else user
    if not state.is_dir():
        if state.is_symlink() or state.exists():
            raise StateFolderError(
                f"{state} is not a folder, but the state of local runs belongs there; move it away, or name "
                "another folder by DRYRUN_LOCAL_STATE"
            )
        return
    if user == 0:
        return
    try:
        places = (state, *state.glob("*"), *state.glob("*/*"))
        foreign = next((path for path in places if _owner(path) not in {user, None}), None)
    except PermissionError:
        foreign = state
    if foreign is not None:
        raise StateFolderError(
            f"{foreign} belongs to another user, who ran dryrun-local here, by sudo for example; take over "
            f"all of it: sudo chown --recursive {user} {quote(str(state.resolve()))}, or name another "
            "folder by DRYRUN_LOCAL_STATE"
        )


def _owner(path: Path) -> int | None:
    """Return the user whose file this is; None once it is gone: programs that run make and remove some."""
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None


def from_here(path: Path) -> str:
    """Return a path as a person types it: relative to the current folder if it is below it, else absolute."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
