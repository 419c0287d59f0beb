"""Ground truth as images and templates state it, and how it differs from what is there."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from target_container import REPOSITORY, allowed, read_yaml, template

type Key = tuple[str, str]
"""Kind, and key relative to the service: `("table", ":5432/tcp/shop/public/orders")`."""
type Facts = dict[Key, dict[str, Any]]
"""What is there, or is said to be: attributes by key."""

_ESCAPED = re.compile(r"[/%\x00-\x1f\x7f]")


def key(port: str, *names: str) -> str:
    """Return the key of something inside a service, with names as `docs/templates.md` writes them."""
    return "/".join([port, *(_ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", name) for name in names)])


@dataclass(frozen=True, slots=True)
class Case:
    """Something to start and what is said of it.

    `truth` holds the facts as they are written; `kinds` are those that are looked for (None: all), since a
    template for some collectors says nothing of what they do not look for.
    """

    where: str
    image: str
    environment: tuple[tuple[str, str], ...]
    truth: tuple[Mapping[str, Any], ...]
    kinds: frozenset[str] | None = None
    not_services: frozenset[str] = frozenset()
    """Ports of the image that something is bound to and that are no service."""

    @property
    def served(self) -> frozenset[str]:
        """The keys of the services that are stated."""
        return frozenset(fact["key"] for fact in self.truth if fact["kind"] == "service")

    def differs_from_all(self, others: Iterable["Case"]) -> bool:
        """Return whether it is another target than these, or the same with other statements about it."""
        mine = (self.image, self.environment, self.truth)
        return all(mine != (other.image, other.environment, other.truth) for other in others)

    def stated(self) -> Facts:
        """Return what is said, with values of the built image in their places."""
        values = allowed(self.image)["facts"]

        def resolved(value: Any) -> Any:
            if isinstance(value, list):
                return [resolved(item) for item in value]
            return values[value["fact"]] if isinstance(value, dict) else value

        return {
            (fact["kind"], fact["key"]): {
                name: resolved(value) for name, value in fact.get("data", {}).items()
            }
            for fact in self.truth
        }


def cases() -> dict[str, Case]:
    """Return every image that states a ground truth, and every service of a template that states another.

    Read from the files themselves: what is tested is what people wrote.
    """
    found: dict[str, Case] = {}
    images: dict[str, tuple[Mapping[str, Any], ...]] = {}
    exempt: dict[str, frozenset[str]] = {}
    for path in sorted((REPOSITORY / "images").glob("*/image.yml")):
        manifest = read_yaml(path)
        images[manifest["image"]] = tuple(manifest.get("ground_truth", ()))
        exempt[manifest["image"]] = frozenset(manifest.get("not_services", ()))
        if images[manifest["image"]]:
            name = path.parent.name
            truth = images[manifest["image"]]
            found[name] = Case(name, manifest["image"], (), truth, not_services=exempt[manifest["image"]])
    for path in sorted((REPOSITORY / "templates").glob("*.yml")):
        kinds = _kinds(template(path.stem)["x-dryrun"])
        for service, content in template(path.stem)["services"].items():
            for number, variant in enumerate(_variants(content)):
                where = f"{path.stem}-{service}" + (f"-{number}" if number else "")
                image = variant["image"]
                environment = _environment(variant.get("environment"))
                case = Case(where, image, environment, images[image], not_services=exempt[image])
                if "x-ground-truth" in variant:
                    case = replace(case, truth=tuple(variant["x-ground-truth"]), kinds=kinds)
                if case.differs_from_all(found.values()):
                    found[where] = case
    return found


def _kinds(header: Mapping[str, Any]) -> frozenset[str] | None:
    """Return what the collectors look for that a template names, None when it names none."""
    manifests = (REPOSITORY / "collectors" / "manifests").glob("*.yml")
    provided = {manifest["name"]: manifest["provides"] for manifest in map(read_yaml, manifests)}
    if "collectors" not in header:
        return None
    return frozenset(kind for name in header["collectors"] for kind in provided[name])


def _variants(service: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield service
    own = {name: service[name] for name in ("image", "environment", "x-ground-truth") if name in service}
    for variant in service.get("x-variants", ()):
        # Another image brings its own ground truth and an empty environment.
        yield variant if "image" in variant else own | variant


def _environment(environment: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(environment, list):
        return tuple(sorted(tuple(entry.split("=", 1)) for entry in environment))
    return tuple(sorted((environment or {}).items()))


def differences(stated: Facts, there: Facts, kinds: frozenset[str] | None = None) -> list[str]:
    """Return what is said and is not so, and what is there and nobody says; one sentence each."""
    there = {identity: data for identity, data in there.items() if kinds is None or identity[0] in kinds}
    found = [
        f"{kind} {where!r} is stated and not there" for kind, where in sorted(stated.keys() - there.keys())
    ]
    found += [
        f"{kind} {where!r} is there and not stated" for kind, where in sorted(there.keys() - stated.keys())
    ]
    for identity in sorted(stated.keys() & there.keys()):
        for name, value in stated[identity].items():
            seen = there[identity].get(name)
            if seen is None:
                found.append(f"{' '.join(identity)!r}: {name} is stated and cannot be seen")
            elif not _same(name, value, seen):
                found.append(f"{' '.join(identity)!r}: {name} is stated as {value!r} and is {seen!r}")
    return found


def _same(name: str, stated: Any, seen: Any) -> bool:
    if name == "columns":
        return set(stated) == set(seen) and len(stated) == len(set(stated))
    spellings = [spelling.casefold() for spelling in (stated if isinstance(stated, list) else [str(stated)])]
    return str(seen).casefold() in spellings
