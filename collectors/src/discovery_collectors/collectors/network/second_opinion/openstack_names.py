"""Which of OpenStack's services answers: each states its type in a header, a media type or a link."""

import re

from discovery_collectors.collectors.network.second_opinion.http_answer import HttpAnswer

_PROJECTS = {
    "accelerator": "Cyborg",
    "alarm": "Aodh",
    "baremetal": "Ironic",
    "block-storage": "Cinder",
    "clustering": "Senlin",
    "compute": "Nova",
    "container-infra": "Magnum",
    "database": "Trove",
    "dns": "Designate",
    "identity": "Keystone",
    "image": "Glance",
    "instance-ha": "Masakari",
    "key-manager": "Barbican",
    "load-balancer": "Octavia",
    "messaging": "Zaqar",
    "network": "Neutron",
    "object-store": "Swift",
    "orchestration": "Heat",
    "placement": "Placement",
    "resource-optimization": "Watcher",
    "shared-file-system": "Manila",
    "volume": "Cinder",
    "workflow": "Mistral",
}
"""Service type, or the alias that a service states itself, → project (service-types.openstack.org)."""
_TYPE = r"(?P<type>[a-z-]{3,40})"
_HEADER = re.compile(rf"{_TYPE} \d")
"""Of the version that an answer is in: `compute 2.1` (OpenStack's API guidelines, "Microversion")."""
_OWN_HEADER = re.compile(r"x-openstack-(?P<project>[a-z]{4,12})-api-version")
"""As services called it before: `X-OpenStack-Ironic-API-Version`."""
_IN_JSON = re.compile(
    rf'"(?:application/vnd\.openstack\.{_TYPE}(?:-v\d|\+json)'
    r'|https?://docs\.openstack\.org/api-ref/(?P<link>[a-z-]{3,40})["/])'
)


def openstack(page: HttpAnswer) -> str:
    """Return the service of OpenStack that serves `page`; empty where it is none, or states none."""
    stated = _HEADER.match(page.headers.get("openstack-api-version", ""))
    types = [stated["type"]] if stated is not None else []
    types += [found["type"] or found["link"] for found in _IN_JSON.finditer(page.part("json"))]
    owns = [_OWN_HEADER.fullmatch(name) for name in page.headers]
    projects = [_PROJECTS.get(each, "") for each in types] + [own["project"].title() for own in owns if own]
    project = next((each for each in projects if each in _PROJECTS.values()), "")
    return f"OpenStack {project}" if project else ""
