"""The folder of a deployment's state: secrets, certificates, the allowlist and the guard's policy."""

import json
import os
import secrets
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from settings_file import DEPLOY, RefusedError

from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.templates import TemplateCatalog

READERS = {
    "database_owner": ("postgres", "migrate"),
    "database_app": ("postgres", "approval-api"),
    "database_delivery": ("postgres", "approval-delivery"),
    "orchestrator_token": ("dryrun-orchestrator", "approval-api"),
    "api_tokens": ("approval-api",),
    "guard_tls": ("docker-proxy", "dryrun-orchestrator"),
    "report_key": ("approval-api",),
}
"""Each secret, and the services that read it."""
CERTIFICATES = {
    "server_cert": "guard/cert.pem",
    "server_key": "guard/key.pem",
    "client_cert": "orchestrator/cert.pem",
    "client_key": "orchestrator/key.pem",
    "ca": "guard/ca.pem",
}
"""The parts of `guard_tls`, and which they are of a fleet whose one guard is `docker-proxy.engine`.

The last one says that all are there."""
ISSUED_ELSEWHERE = ("oidc_client_secret", "delivery_credentials", "delivery_smtp_login")
"""The operator writes these; Compose needs the files even without a provider and without deliveries."""
AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", os.devnull)
ALLOWLIST = DEPLOY.parent / ".dryrun" / "allowlist.json"
REPLICAS = ALLOWLIST.parent / "replicas" / "templates"
"""Templates of the networks that were imported."""
DRAFTS = ".*.draft"
"""Files that were being written when this program was killed."""
TEMPLATES = DEPLOY.parent / "templates"
COLLECTORS = DEPLOY.parent / "collectors" / "manifests"
EARLIER_POLICY = b'{"client_networks": ["0.0.0.0/0"]}'
"""The policy of a release that admitted every address on the network."""


def require_installed() -> None:
    """Raise RefusedError where what is taken over is missing, or nothing that the orchestrator would use.

    A template that does not go with the allowlist keeps it from all that is new, until a restart drops it.
    """
    # What the services mount of the checkout is as the umask of whoever made that left it.
    files = (path for folder in (TEMPLATES, COLLECTORS) for path in (folder, *folder.rglob("*.yml")))
    for path in files:
        if path.exists() and not path.stat().st_mode & 0o004:
            raise RefusedError(
                f"{path}: the orchestrator, which is another user, cannot read it; "
                f"chmod --recursive a+rX {TEMPLATES} {COLLECTORS}"
            )
    build = "build the images: .venv/bin/dryrun-local images build"
    if not ALLOWLIST.is_file():
        raise RefusedError(f"{ALLOWLIST} is missing; {build}")
    try:
        allowlist = load_allowlist(ALLOWLIST)
        if not REPLICAS.is_dir():
            return
        networks = TemplateCatalog([REPLICAS], allowlist, load_collector_manifests(COLLECTORS, allowlist))
    except OperatorFileError as error:
        raise RefusedError(f"{error}; {build}") from error
    own = {file.name for file in TEMPLATES.iterdir()}
    if taken := sorted(file.name for file in REPLICAS.glob("*.yml") if file.name in own):
        raise RefusedError(
            f"{REPLICAS / taken[0]}: the project has a template of this name, {TEMPLATES / taken[0]}, which "
            "the orchestrator uses in its place; import the network by another name, or delete this file"
        )
    if faults := networks.faults():
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise RefusedError(
            f"{REPLICAS.parent}: {faults[0].where}: {faults[0].what}{more}; import that network again, or "
            "remove it: .venv/bin/dryrun-local network remove NAME"
        )


@dataclass(frozen=True)
class StateFolder:
    """The folder. Other users may enter it for `config`; the process's umask closes `secrets` to them."""

    path: Path

    @property
    def policy(self) -> Path:
        """The guard's policy."""
        return self.path / "config" / "guard-policy.json"

    @property
    def has_secrets(self) -> bool:
        """Whether an earlier run has made secrets here, all or some of them."""
        return (self.path / "secrets").is_dir()

    @property
    def replicas(self) -> Path:
        """Where the orchestrator reads templates of imported networks."""
        return self.policy.parent / "replicas"

    def require_replaceable(self) -> None:
        """Raise RefusedError where something stands in the way of the files in `config`.

        To read it might fail or wait without an end, and nobody can say whether it may be removed.
        """
        for file in (self.policy, self.policy.with_name("allowlist.json")):
            if file.exists() and not file.is_file():
                what = "a folder" if file.is_dir() else "not a regular file"
                raise RefusedError(
                    f"{file} is {what}, and the guard reads a file there; remove it, then run this again"
                )
        folder = self.replicas
        there = [(folder, folder.is_dir())] if folder.is_symlink() or folder.exists() else []
        if folder.is_dir():
            files = sorted((*folder.glob("*.yml"), *folder.glob(DRAFTS)))
            there += [(file, file.is_file() and not file.is_symlink()) for file in files]
        for path, is_as_written in there:
            if not is_as_written:
                what = (
                    "a symbolic link" if path.is_symlink()
                    else "a folder" if path.is_dir()
                    else "not a folder" if path == folder
                    else "not a regular file"
                )  # fmt: skip
                raise RefusedError(
                    f"{path} is {what}: the orchestrator reads templates of imported networks there, which "
                    f"are regular files in a folder, and this program writes all of them; remove {path}, "
                    "then run it again"
                )

    def complete(self) -> None:
        """Make the folders and secrets that are missing, and take over the authorities that this host has."""
        secret = self.path / "secrets"
        config = self.policy.parent
        folders = ((self.path, 0o755), (secret, 0o700), (config, 0o755), (self.replicas, 0o755))
        for folder, mode in folders:
            if not folder.is_dir():
                folder.mkdir(parents=True)
                folder.chmod(mode)
        for name in READERS:
            files = (secret / f"{name}{ending}" for ending in ("", "_url", "_ca"))
            if not any(file.is_file() and file.stat().st_size for file in files):
                self.make(name)
        for name in ISSUED_ELSEWHERE:
            if not (secret / name).exists():
                self._keep(f"secrets/{name}", b"")
        bundle = next(each for each in AUTHORITIES if os.access(each, os.R_OK))
        self._keep("secrets/oidc_authorities", Path(bundle).read_bytes())

    def make(self, name: str) -> None:
        """Make a secret, in place of the one that is there."""
        random = secrets.token_urlsafe(32)
        match name:
            case "guard_tls":
                self._make_certificates()
            case "report_key":
                self._make_report_key()
            case "orchestrator_token":
                self._keep(f"secrets/{name}", random.encode())
            case "api_tokens":
                self._keep(f"secrets/{name}", f"operator:{random}\n".encode())
            case _:
                role = "owner" if name == "database_owner" else name.replace("database", "approval")
                url = f"postgresql+asyncpg://{role}:{random}@postgres/dryrun"
                self._keep(f"secrets/{name}_password", random.encode())
                self._keep(f"secrets/{name}_url", url.encode())

    def write_installed(self) -> list[str]:
        """Take over the allowlist of the images that were built, and the templates of imported networks.

        Returns what becomes of each template that does not stay as it was.
        """
        replicas = {file.name: file.read_bytes() for file in REPLICAS.glob("*.yml")}
        for draft in self.replicas.glob(DRAFTS):
            draft.unlink()
        files = sorted(self.replicas.glob("*.yml"))
        before = {file.name: file.read_bytes() for file in files}
        changes = []
        for file in files:
            if file.name not in replicas:
                file.unlink()
                changes.append(f"{file.stem} removed")
        # The allowlist comes first: it pins the images that the templates name.
        self._keep("config/allowlist.json", ALLOWLIST.read_bytes())
        for name, content in sorted(replicas.items()):
            self._keep(f"config/replicas/{name}", content)
            if before.get(name) != content:
                changes.append(f"{Path(name).stem} {'changed' if name in before else 'added'}")
        return changes

    def write_policy(self, client: str, pool: str) -> None:
        """Write the guard's policy, unless the operator has one."""
        if not self.policy.exists() or self.policy.read_bytes().strip() == EARLIER_POLICY:
            # More sessions than run at once: an isolation check takes a place, and so does a removal.
            places = {"sessions": 10, "containers": 220}
            client_and_pool = {"client_networks": [f"{client}/32"], "subnet_pool": pool}
            written = json.dumps({**client_and_pool, **places, "seccomp": "narrow"})
            self._keep("config/guard-policy.json", f"{written}\n".encode())

    def _keep(self, name: str, content: bytes) -> None:
        """Write a file atomically, readable to each container's own user."""
        file = self.path / name
        draft = file.with_name(f".{file.name}.draft")
        draft.unlink(missing_ok=True)
        draft.write_bytes(content)
        draft.chmod(0o444)
        draft.replace(file)

    def _make_report_key(self) -> None:
        """Make the key that signs reports; what older keys signed stays signed, so their public ones stay."""
        key = Ed25519PrivateKey.generate()
        public = self.path / "config" / "report-key.pub"
        older = public.read_bytes() if public.exists() else b""
        own = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self._keep("config/report-key.pub", older + own + f" reports-{datetime.now(UTC):%Y-%m-%d}\n".encode())
        self._keep("secrets/report_key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _make_certificates(self) -> None:
        """Make a CA, whose key is not kept, and certificates for guard and orchestrator; older ones end."""
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder, "fleet")
            command = map(str, (DEPLOY / "fleet" / "certificates", made, "guard=docker-proxy.engine"))
            done = subprocess.run([*command], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RefusedError(done.stderr.strip())
            for name, file in CERTIFICATES.items():
                self._keep(f"secrets/guard_tls_{name}", (made / file).read_bytes())
