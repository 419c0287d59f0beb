"""A small template with its allowlist and manifests, and what is wrong with a changed one."""

import pytest

from dryrun_contract.collector_config import CONFIG_KEYS
from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.collector_manifest import CollectorManifest
from dryrun_orchestrator.catalog.collector_manifests import CollectorManifests
from dryrun_orchestrator.catalog.templates import TemplateCatalog, TemplateInvalidError


def allowlist(**changes):
    facts = {"version": "1.26.3", "unused": "x"} | changes.get("facts", {})
    images = [
        AllowedImage(
            "discovery/test-nginx:1.26",
            changes.get("id", f"sha256:{'1' * 64}"),
            frozenset({"SITE"}),
            facts=facts,
            ground_truth=changes.get("ground_truth", ()),
        ),
        AllowedImage("discovery/test-collector-network:1", f"sha256:{'2' * 64}", frozenset(CONFIG_KEYS)),
    ]
    return Allowlist("allowlist.json", {image.name: image for image in images})


def collector(name, provides, needs=()):
    image = allowlist().image("discovery/test-collector-network:1")
    return CollectorManifest(name, image, "x", frozenset(provides), frozenset(needs), 60, "quick")


MANIFESTS = CollectorManifests(
    {
        "database": collector("database", ["table"], ["service"]),
        "network": collector("network", ["host", "service"]),
    }
)
SMALL = """\
name: small
x-dryrun:
  title: Small company
  description: >
    A web server
    and its twin.
  credentials:
    - {engine: postgresql, username: reader, password: "a$$b "}
    - {engine: redis, password: "", services: [web]}
services:
  web:
    image: discovery/test-nginx:1.26
    environment: {SITE: shop}
    depends_on: [twin]
    x-ground-truth:
      - {kind: host, key: ""}
      - {kind: service, key: ":80/tcp", data: {product: nginx, version: {fact: version}}}
  twin:
    image: discovery/test-nginx:1.26
    x-ground-truth:
      - {kind: host, key: "", hard: nothing is open}
      - {kind: service, key: ":80/tcp"}
      - {kind: service, key: ":81/tcp"}
"""


def catalog(folder, allowed=None):
    return TemplateCatalog([folder], allowed or allowlist(), MANIFESTS)


def faults(folder, text):
    (folder / "small.yml").write_text(text)
    with pytest.raises(TemplateInvalidError) as raised:
        catalog(folder).get("small")
    return [f"{fault.where}: {fault.what}" for fault in raised.value.faults]
