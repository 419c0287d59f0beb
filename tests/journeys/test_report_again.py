"""A report is an inventory too: the template made of it is the network that was rehearsed, but for names."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from local_stack import ROOT

from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.templates import load_template

pytestmark = [pytest.mark.engine, pytest.mark.long]

PROGRAM = str(ROOT / ".venv" / "bin" / "dryrun-local")
POOL = random.choice(list(ip_network("10.213.64.0/18").subnets(new_prefix=24)))


def run(state: Path, *arguments: str) -> None:
    environment = os.environ | {"DRYRUN_LOCAL_STATE": str(state), "ORCHESTRATOR_SUBNET_POOL": str(POOL)}
    done = subprocess.run(
        [PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def truth(template: LoadedTemplate) -> Iterator[tuple[str, str, str, str]]:
    """Yield each fact with its target's image in place of its name: two of `small`'s never share one."""
    images = {service.name: service.image.name for service in template.services}
    for fact in template.ground_truth.facts:
        name, _, inside = fact.key.partition(":")
        yield fact.kind, images[name], inside, str(fact.data)


def test_small_made_again_from_its_own_report_has_the_same_ground_truth(engine, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(ROOT / ".dryrun" / "allowlist.json", state)
    run(state, "demo", "--plain")
    [report] = (state / "reports").glob("*.json")

    run(state, "network", "import", str(report), "--name", "again")

    allowlist = load_allowlist(state / "allowlist.json")
    manifests = load_collector_manifests(ROOT / "collectors" / "manifests", allowlist)
    small = load_template(ROOT / "templates" / "small.yml", allowlist, manifests)
    again = load_template(state / "replicas" / "templates" / "again.yml", allowlist, manifests)
    expected, found = set(truth(small)), set(truth(again))
    assert expected <= found
    # `small` runs two collectors only; what others would find is true of its images as well.
    assert {kind for kind, *_ in found - expected} <= {"web_app"}
    assert not {service.name for service in again.services} & {service.name for service in small.services}
    # No report holds a credential: they are those of the template that was rehearsed.
    logins = [(each.engine, each.username, each.password) for each in small.credentials]
    assert [(each.engine, each.username, each.password) for each in again.credentials] == logins
    hosts = {each.name for each in again.services}
    assert [set(each.services) for each in again.credentials] == [hosts] * len(logins)
    known = again.summary().stands_for
    assert known is not None
    assert (known.made_from, known.hosts, known.levels.nothing) == ("the report of a rehearsal", 5, 0)
