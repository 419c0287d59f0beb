"""Writes a stand-in as a folder that `docker build` takes: a constant Dockerfile, settings and configuration.

Nothing of an inventory reaches the Dockerfile, a shell or a file's name: ports are numbers, folders are
named by recipes, texts have passed the placeholders' types, banners are base64. The digest covers all but
certificates, which differ in every build and say the same.
"""

import base64
import hashlib
import json
import shlex
from dataclasses import dataclass
from typing import Any

from dryrun_contract.ground_truth import Fact
from dryrun_replica.building.certificates import make_certificate
from dryrun_replica.building.composition import FILES, MEMORY, BannerService, Composition, RunningService
from dryrun_replica.building.shared_root import IMAGE, SERVICE_UID
from dryrun_replica.inventory.model import TlsFacts
from dryrun_replica.recipes.model import SPARE_ROOM_BYTES

PREFIX = "discovery/test-stand-in"
"""Composed images are named by their content: two replicas with the same hosts share them."""
_VERSION = b"1"
"""Increase it when the same composition becomes another image."""
_TMP_BYTES = 8 * 1024**2
_BANNERS = "00-banners"
_FRONT = "foreground = yes\nsyslog = no\ndebug = 3\npid =\n"
"""stunnel's settings before those of each port."""

_DOCKERFILE = f"""\
FROM {IMAGE}
COPY --chown={SERVICE_UID}:{SERVICE_UID} --chmod=u=rwX,go=rX stand-in/ /srv/stand-in/
@fill@USER @user@
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=@start@s --start-interval=500ms \\
    CMD ["bash", "/usr/local/lib/stand-in/healthy"]
ENTRYPOINT ["tini", "--", "bash", "/usr/local/lib/stand-in/init"]
"""

_FILL = f"""\
USER {SERVICE_UID}
RUN ["bash", "/usr/local/lib/stand-in/fill"]
"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """One image to build."""

    digest: str
    """64 hex digits: what it consists of, without its certificates."""
    files: dict[str, bytes]
    capabilities: tuple[str, ...]
    tmpfs: dict[str, dict[str, Any]]
    ground_truth: list[dict[str, Any]]
    log_patterns: dict[str, str]
    memory_mib: int
    """What its services hold when idle, together."""

    @property
    def image(self) -> str:
        """Its name with the beginning of its digest, so that a change is another image."""
        return f"{PREFIX}:{self.digest[:16]}"


def stand_in(composition: Composition, root_digest: str) -> StandIn:
    """Return the image of a composition above the shared root of `root_digest`."""
    files: dict[str, bytes] = {"Dockerfile": _dockerfile(composition).encode()}
    for service in composition.services:
        for name, text in _files(service).items():
            files[f"stand-in/{service.folder}/{name}"] = text.encode()
    for name, text in _banner_files(composition.banners).items() if composition.banners else ():
        files[f"stand-in/{_BANNERS}/{name}"] = text.encode()
    truth = composition.ground_truth()
    for fact in truth:
        Fact.model_validate(fact)
    tmpfs = _tmpfs(composition)
    roots = [service.recipe.root for service in composition.services if service.recipe.root is not None]
    granted = {capability for root in roots for capability in root.capabilities}
    # Who starts services as their own user needs the right to change to it.
    capabilities = tuple(sorted(granted | ({"SETGID", "SETUID", "CHOWN"} if roots else set())))
    patterns = composition.log_patterns()
    digest = _digest(files, root_digest, (tmpfs, capabilities, truth, patterns))
    for service in composition.services:
        if service.needs_certificate:
            certificate, key = make_certificate(service.tls or TlsFacts(), composition.host)
            files[f"stand-in/{service.folder}/certificate.pem"] = certificate
            files[f"stand-in/{service.folder}/key.pem"] = key
    for each in composition.banners:
        if each.tls is not None:
            certificate, key = make_certificate(each.tls, composition.host)
            files[f"stand-in/{_BANNERS}/certificate-{each.port}.pem"] = certificate
            files[f"stand-in/{_BANNERS}/key-{each.port}.pem"] = key
    memory = sum(service.recipe.memory_mib for service in composition.services)
    return StandIn(digest, files, capabilities, tmpfs, truth, patterns, memory)


def _dockerfile(composition: Composition) -> str:
    needs_root = any(service.recipe.root is not None for service in composition.services)
    start = max((service.recipe.health.seconds for service in composition.services), default=20)
    # Starting a container to do nothing takes as long as all the rest.
    fills = any(service.recipe.fill or service.needs_certificate for service in composition.services)
    values = {
        "@fill@": _FILL if fills or any(each.tls for each in composition.banners) else "",
        "@user@": "0" if needs_root else str(SERVICE_UID),
        "@start@": f"{start:.0f}",
    }
    text = _DOCKERFILE
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _files(service: RunningService) -> dict[str, str]:
    recipe = service.recipe
    files = service.files()
    files["start"] = recipe.start
    if recipe.fill is not None:
        files["fill"] = recipe.fill
    if service.has_front:
        files["front.stunnel"] = _front(service)
    files["settings"] = _settings(service)
    return files


def _settings(service: RunningService) -> str:
    recipe, health = service.recipe, service.recipe.health
    settings: dict[str, str] = {
        "NUMBER": service.folder.partition("-")[0].lstrip("0"),
        "PORT": str(service.values.port),
        "OUTER_PORT": str(service.port),
        "ADDRESS": service.values.address,
        "TRANSPORT": recipe.transports[0],
        "TLS": "1" if service.tls is not None else "",
        "ROOT": "1" if recipe.root is not None else "",
    }
    if health.http is not None:
        settings |= {"QUESTION": "http", "HTTP": health.http}
    elif health.line is not None:
        settings |= {"QUESTION": "line", "LINE": health.line}
    elif health.answer is not None:
        settings |= {"QUESTION": "answer", "SEND": health.send or "", "ANSWER": health.answer}
    else:
        settings["QUESTION"] = "opens"
    return _shell(settings)


def _front(service: RunningService) -> str:
    here = service.values.here
    return _FRONT + _behind(service.port, service.values.port, f"{here}/certificate.pem", f"{here}/key.pem")


def _behind(port: int, inner: int, certificate: str, key: str) -> str:
    return (
        f"[{port}]\naccept = 0.0.0.0:{port}\nconnect = 127.0.0.1:{inner}\ncert = {certificate}\nkey = {key}\n"
    )


def _banner_files(banners: tuple[BannerService, ...]) -> dict[str, str]:
    by_tcp = [str(each.port) for each in banners if each.transport == "tcp"]
    settings = {
        "NUMBER": "0",
        # Asked too: stunnel is there before what it stands before.
        "PORT": " ".join(str(each.inner_port) for each in banners if each.inner_port is not None),
        "OUTER_PORT": " ".join(by_tcp),
        "TRANSPORT": "tcp",
        "TLS": "",
        "ROOT": "",
        "QUESTION": "opens",
    }
    content = [
        {
            "transport": each.transport,
            "address": "0.0.0.0" if each.inner_port is None else "127.0.0.1",  # noqa: S104  its container's
            "port": each.inner_port or each.port,
            "question": base64.b64encode(each.banner.trigger).decode(),
            "answer": base64.b64encode(each.banner.answer).decode(),
            "hangs_up": each.banner.hangs_up,
        }
        for each in banners
    ]
    files = {
        "settings": _shell(settings),
        "banners.json": json.dumps(content) + "\n",
        "start": 'exec python3 -ISs /usr/local/lib/stand-in/banner.py "$HERE/banners.json"\n',
    }
    here = f"{FILES}/{_BANNERS}"
    fronts = [
        _behind(
            each.port, each.inner_port, f"{here}/certificate-{each.port}.pem", f"{here}/key-{each.port}.pem"
        )
        for each in banners
        if each.inner_port is not None
    ]
    return files | ({"front.stunnel": _FRONT + "".join(fronts)} if fronts else {})


def _shell(settings: dict[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())


def _tmpfs(composition: Composition) -> dict[str, dict[str, Any]]:
    owner = {"uid": SERVICE_UID, "gid": SERVICE_UID, "mode": "0755"}
    room = sum(service.recipe.room_bytes for service in composition.services) + SPARE_ROOM_BYTES
    mounts: dict[str, dict[str, Any]] = {
        MEMORY: {"size": room, **owner},
        "/tmp": {"size": _TMP_BYTES, **owner, "mode": "1777"},  # noqa: S108  the container's own
    }
    for service in composition.services:
        for path, size in service.recipe.tmpfs_bytes.items():
            known = mounts.get(path, {"size": 0})["size"]
            mounts[path] = {"size": max(size, known), **owner}
    return mounts


def _digest(files: dict[str, bytes], root_digest: str, rest: Any) -> str:
    content = hashlib.sha256(_VERSION + root_digest.encode())
    for name, data in sorted(files.items()):
        content.update(f"{name} {len(data)}\n".encode() + data)
    content.update(json.dumps(rest, sort_keys=True).encode())
    return content.hexdigest()
