"""What one stand-in consists of: the services of a host with their ports, files and ground truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dryrun_replica.building.certificates import NOT_AFTER, subject_and_issuer
from dryrun_replica.inventory.model import Host, Service, TlsFacts
from dryrun_replica.levels import Level, Match
from dryrun_replica.recipes.banners import Banner, BannerTable, silent
from dryrun_replica.recipes.loading import RecipeBook
from dryrun_replica.recipes.matching import has_front, has_tls
from dryrun_replica.recipes.model import Recipe
from dryrun_replica.recipes.templates import Values, render

FILES = "/srv/stand-in"
MEMORY = "/run/stand-in"
NO_LINE = "(?!)"
"""Matches nothing: what nobody can log in to has no failed logins."""
MOST_PATTERN = 500
"""Characters of one pattern in the allowlist."""
_INNER_PORTS, _INNER_BANNERS = 61000, 61300
"""First ports, on loopback, of services and of banners that stunnel stands before."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """One program of a stand-in."""

    folder: str
    """Its name below `FILES`, e.g. `01-nginx-8443`; also what the container says when it ends."""
    recipe: Recipe
    port: int
    values: Values
    tls: TlsFacts | None
    version: str | None
    """As it shows it; None where it shows none."""

    @property
    def has_front(self) -> bool:
        """Whether stunnel stands before it."""
        return self.values.behind_tls

    @property
    def needs_certificate(self) -> bool:
        """Whether it shows one, or wants one to start."""
        return self.tls is not None or self.recipe.tls == "always"

    def files(self) -> dict[str, str]:
        """Return its configuration, with values in their places."""
        return {name: render(text, self.values) for name, text in self.recipe.files.items()}


@dataclass(frozen=True, slots=True)
class BannerService:
    """A port that sends the banner of a product without running it."""

    port: int
    transport: str
    banner: Banner
    tls: TlsFacts | None = None
    inner_port: int | None = None
    """Where it listens, if stunnel stands before it."""


@dataclass(frozen=True, slots=True)
class Composition:
    """One stand-in, complete but for its certificates."""

    host: str
    services: tuple[RunningService, ...]
    banners: tuple[BannerService, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing answers there."""
        return not self.services and not self.banners

    def log_patterns(self) -> dict[str, str]:
        """Return what shows failed logins in the log that all services share; empty where nothing would.

        Where some services log them and others do not, only those that do are counted.
        """
        known = sorted(
            {each.recipe.failed_logins for each in self.services if each.recipe.failed_logins is not None}
        )
        if known:
            joined = "|".join(known)
            return {"failed_logins": joined} if len(joined) <= MOST_PATTERN else {}
        has_none = bool(self.services) and all(each.recipe.no_logins for each in self.services)
        return {"failed_logins": NO_LINE} if has_none and not self.banners else {}

    def ground_truth(self) -> list[dict[str, Any]]:
        """Return what a perfect collector without a login would report of it."""
        facts: list[dict[str, Any]] = [{"kind": "host", "key": ""}]
        for service in self.services:
            facts.extend(_facts(service, self.host))
        for each in self.banners:
            data = {"product": each.banner.product} if each.banner.product else {}
            if each.banner.version is not None:
                data["version"] = each.banner.version
            key = f":{each.port}/{each.transport}"
            facts.append({"kind": "service", "key": key, "data": data})
            if each.tls is not None:
                facts.append({"kind": "certificate", "key": key, "data": _certificate(each.tls, self.host)})
        return facts


def compose(
    host: Host,
    matches: Sequence[Match],
    book: RecipeBook,
    versions: Mapping[str, str],
    banners: BannerTable | None = None,
) -> Composition:
    """Compose the stand-in of a host, which represents its class, from what stands for its services."""
    name = host.name
    running: dict[tuple[str, int], RunningService] = {}
    shown: list[BannerService] = []
    taken = {service.port for service in host.services}
    for service, match in zip(host.services, matches, strict=True):
        if match.level is Level.BANNER:
            banner = silent(service) or (banners.find(service) if banners is not None else None)
            if banner is not None:
                inner = _free(_INNER_BANNERS + len(shown), taken) if has_tls(service) else None
                tls = service.tls if inner is not None else None
                shown.append(BannerService(service.port, service.transport, banner, tls, inner))
        if match.recipe is None:
            continue
        known = running.get((match.recipe, service.port))
        if known is None:
            number = len(running) + 1
            recipe = book[match.recipe]
            inner = _free(_INNER_PORTS + number, taken) if has_front(recipe, service) else None
            made = _running(number, service, recipe, versions.get(match.recipe), name, inner)
            running[match.recipe, service.port] = made
    return Composition(name, tuple(running.values()), tuple(shown))


def _free(port: int, taken: set[int]) -> int:
    """Take the first port, from this one up, on which nothing of the host listens."""
    while port in taken:
        port += 1
    taken.add(port)
    return port


def _running(
    number: int, service: Service, recipe: Recipe, version: str | None, host: str, inner_port: int | None
) -> RunningService:
    takes_tls = service.tls is not None and recipe.tls in {"own", "front", "always"}
    folder = f"{number:02}-{recipe.name}-{service.port}"
    values = Values(
        port=inner_port or service.port,
        here=f"{FILES}/{folder}",
        run=f"{MEMORY}/{folder}",
        name=host,
        title=service.title or host,
        tls=takes_tls and recipe.tls == "own",
        behind_tls=inner_port is not None,
    )
    tls = service.tls if takes_tls else TlsFacts() if recipe.tls == "always" else None
    shown = version if recipe.version.shown else None
    return RunningService(folder, recipe, service.port, values, tls, shown)


def _facts(service: RunningService, host: str) -> list[dict[str, Any]]:
    recipe = service.recipe
    facts: list[dict[str, Any]] = []
    for transport in recipe.transports:
        data: dict[str, Any] = {"product": list(recipe.products)}
        if service.version is not None:
            data["version"] = service.version
        facts.append({"kind": "service", "key": f":{service.port}/{transport}", "data": data})
    first = f":{service.port}/{recipe.transports[0]}"
    if service.tls is not None:
        facts.append({"kind": "certificate", "key": first, "data": _certificate(service.tls, host)})
    for fact in recipe.truth:
        # A title is plain, so that file and ground truth have the same characters.
        data = {name: render(text, service.values) for name, text in fact.data.items()}
        facts.append({"kind": fact.kind, "key": f"{first}{fact.key}"} | ({"data": data} if data else {}))
    return facts


def _certificate(tls: TlsFacts, host: str) -> dict[str, str]:
    subject, issuer = subject_and_issuer(tls, host)
    ends = tls.not_after or NOT_AFTER
    return {
        "subject": f"CN={subject}",
        "issuer": f"CN={issuer}",
        "not_after": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
