"""A valid template: its file, and the variant that a seed selects."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from dryrun_contract.collector_config import Credential
from dryrun_contract.ground_truth import GroundTruth
from dryrun_contract.template import StandsFor, Template, TemplateService, TemplateSummary
from dryrun_orchestrator.catalog.allowlist import AllowedImage
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.compose import Dependency, ServiceEntry
from dryrun_orchestrator.catalog.truth_reader import of_service
from dryrun_orchestrator.catalog.variants import Variants

type Spread = Literal["targets", "collectors"]
"""What a fleet keeps on different hosts: all targets from each other, or collectors from every target."""


@dataclass(frozen=True, slots=True)
class LoadedService:
    """One target: its image in the allowlist, and the template's settings for it."""

    name: str
    image: AllowedImage
    environment: Mapping[str, str]
    depends_on: tuple[Dependency, ...]


class TemplateCredential(Credential):
    """An entry of the client's credential store, as the template has it: no address is known yet."""

    services: tuple[str, ...] = Field(default=(), max_length=20)
    """The services that may see it; empty: every target of the session."""

    def shown_at(self, addresses: Mapping[str, str], subnet: str) -> Credential:
        """Return it for collectors; `addresses` are those of the session's services. Raises KeyError."""
        at = tuple(addresses[name] for name in self.services)
        return Credential(
            engine=self.engine,
            username=self.username,
            password=self.password,
            at=at if self.services else (subnet,),
        )


@dataclass(frozen=True, slots=True)
class LoadedTemplate:
    """A valid template for one seed: what a session is built from and scored against."""

    id: str
    title: str
    description: str
    digest: str
    """`sha256:…` over the file's bytes and the seed's images, environments and ground truth."""
    services: tuple[LoadedService, ...]
    """Each after those it depends on, otherwise in the file's order."""
    credentials: tuple[TemplateCredential, ...]
    ground_truth: GroundTruth
    collectors: tuple[CollectorManifest, ...]
    """Each after those that provide what it needs."""
    stands_for: StandsFor | None
    """The real network, for a template made from an inventory."""
    spread: Spread | None
    hosts: Mapping[str, str]
    """Labels of the hosts of a fleet that it may stand on."""
    file: "TemplateFile" = field(repr=False)

    @property
    def task_digest(self) -> str:
        """`sha256:…` over what is to be found: services, environments, credentials, ground truth.

        Unlike `digest` it is equal where the same images were built separately, and after a change of words.
        """
        content = {
            "ground_truth": self.ground_truth.model_dump(mode="json"),
            "services": {each.name: [each.image.name, dict(each.environment)] for each in self.services},
            "credentials": [each.model_dump(mode="json") for each in self.credentials],
        }
        return _digest_of(content)

    def summary(self) -> TemplateSummary:
        """Return the summary that people choose from."""
        known = self.stands_for and self.stands_for.model_copy(update={"census": None})
        return TemplateSummary.model_validate({**self._words(), "stands_for": known})

    def full(self) -> Template:
        """Return the template with its ground truth, for the approval API only."""
        return Template.model_validate({**self._words(), "ground_truth": self.ground_truth})

    def _words(self) -> dict[str, object]:
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "digest": self.digest,
            "services": tuple(
                TemplateService(
                    name=service.name,
                    image=service.image.name,
                    depends_on=tuple(dependency.service for dependency in service.depends_on),
                )
                for service in self.services
            ),
            "collectors": tuple(collector.name for collector in self.collectors),
            "stands_for": self.stands_for,
        }


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A template's file, for every seed."""

    id: str
    title: str
    description: str
    digest: str
    services: tuple[ServiceEntry, ...]
    variants: Variants
    credentials: tuple[TemplateCredential, ...]
    collectors: tuple[CollectorManifest, ...]
    stands_for: StandsFor | None = None
    spread: Spread | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)

    def with_seed(self, seed: int) -> LoadedTemplate:
        """Return the template for this seed."""
        chosen = self.variants.chosen(self.id, seed)
        services = tuple(
            LoadedService(each.name, chosen[each.name].image, chosen[each.name].environment, each.depends_on)
            for each in self.services
        )
        facts = tuple(fact for name, service in chosen.items() for fact in of_service(service.facts, name))
        content = {
            "file": self.digest,
            "ground_truth": [fact.model_dump(mode="json") for fact in facts],
            "services": {
                service.name: [service.image.name, service.image.id, dict(service.environment)]
                for service in services
            },
        }
        return LoadedTemplate(
            id=self.id,
            title=self.title,
            description=self.description,
            digest=_digest_of(content),
            services=services,
            credentials=self.credentials,
            ground_truth=GroundTruth(facts=facts),
            collectors=self.collectors,
            stands_for=self.stands_for,
            spread=self.spread,
            hosts=self.hosts,
            file=self,
        )


def _digest_of(content: Mapping[str, object]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
