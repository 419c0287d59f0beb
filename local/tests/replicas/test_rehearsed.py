import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dryrun_local.images.folders import load_folders
from dryrun_local.images.needed import draft_allowlist
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import rehearsed
from dryrun_local.replicas.rehearsed import with_credentials
from dryrun_replica.inventory.model import Host, Inventory, Service, Source
from dryrun_replica.levels import Level, Match
from dryrun_replica.planning.plan import Plan, make_plan

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def installation(tmp_path, monkeypatch):
    allowlist = draft_allowlist(load_folders(ROOT), tmp_path)
    monkeypatch.setattr(rehearsed, "load_allowlist", lambda _: allowlist)
    return Installation(ROOT, tmp_path / "state")


def planned(installation: Installation, *templates: str) -> Plan:
    """The plan of three hosts for each of these templates, whose report left two of them their images."""
    hosts = tuple(
        Host(name=name, role="web", image=image, services=(Service(port=80),), rehearsed=template)
        for number, template in enumerate(templates)
        for name, image in (
            (f"web-{3 * number + 1}", "discovery/test-postgres:17"),
            (f"web-{3 * number + 2}", "discovery/test-redis:8.0"),
            (f"web-{3 * number + 3}", None),
        )
    )
    sources = (Source(format="report", sha256="0" * 64),)
    inventory = Inventory(sources=sources, read_at=NOW, hosts=hosts, rehearsed=templates)

    def nothing(host: Host) -> tuple[Match, ...]:
        return tuple(Match(level=Level.NOTHING, why="none") for _ in host.services)

    return with_credentials(installation, inventory, make_plan("again", inventory, nothing, NOW))


def test_hosts_on_images_of_the_rehearsed_template_have_its_credentials(installation):
    plan = planned(installation, "small")
    found = {(each.engine, each.password): each.hosts for each in plan.credentials}
    assert found == {
        ("postgresql", "tide-table-8120"): ("web-1", "web-2"),
        ("redis", "quay-lantern-old"): ("web-1", "web-2"),
    }
    assert plan.notes == ()
    assert "tide-table" not in repr(plan)


def test_a_credential_for_some_services_is_for_hosts_on_their_images_alone(installation):
    installation.replica_templates.mkdir(parents=True)
    text = (ROOT / "templates" / "small.yml").read_text()
    given = "password: tide-table-8120"
    assert given in text
    shutil.copy(ROOT / "templates" / "small.yml", installation.replica_templates / "acme.yml")
    (installation.replica_templates / "acme.yml").write_text(text.replace(given, f"{given}, services: [db]"))
    plan = planned(installation, "acme")
    assert [each.hosts for each in plan.credentials] == [("web-1",), ("web-1", "web-2")]


def test_a_credential_is_for_hosts_of_its_own_templates_reports_alone(installation):
    installation.replica_templates.mkdir(parents=True)
    text = (ROOT / "templates" / "small.yml").read_text()
    for name in ("acme", "pinehub"):
        other = text.replace("tide-table-8120", f"of-{name}").replace("quay-lantern-old", f"old-of-{name}")
        (installation.replica_templates / f"{name}.yml").write_text(other)
    plan = planned(installation, "acme", "pinehub")
    assert {each.password: each.hosts for each in plan.credentials} == {
        "of-acme": ("web-1", "web-2"),
        "old-of-acme": ("web-1", "web-2"),
        "of-pinehub": ("web-4", "web-5"),
        "old-of-pinehub": ("web-4", "web-5"),
    }


@pytest.mark.parametrize("name", ["elsewhere", "../templates/small", "", "small.yml"])
def test_a_template_that_is_not_installed_is_a_note(installation, name):
    plan = planned(installation, name)
    assert plan.credentials == ()
    [note] = plan.notes
    assert note.shown == (
        "No credentials are known from a report's template, which is not installed here, or not valid: "
        "databases and tables behind a login will be missed. Install it, and import again."
    )


def test_of_several_reports_those_without_a_template_are_counted(installation):
    [note] = planned(installation, "elsewhere", "small", "nowhere").notes
    assert note.shown.startswith(
        "No credentials are known from 2 of 3 reports' templates, which are not installed"
    )
    assert note.count == 2


def test_a_template_that_is_not_valid_any_more_is_a_note(installation):
    installation.replica_templates.mkdir(parents=True)
    (installation.replica_templates / "acme.yml").write_text("services: {}\n")
    assert [note.count for note in planned(installation, "acme").notes] == [1]


def test_more_credentials_than_a_plan_holds_are_left_out_and_noted(installation, monkeypatch):
    monkeypatch.setattr(rehearsed, "MAX_CREDENTIALS", 1)
    plan = planned(installation, "small")
    assert [each.engine for each in plan.credentials] == ["postgresql"]
    assert [(note.what, note.count) for note in plan.notes] == [("credentials beyond 1, left out", 1)]
