import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from discovery_collectors import installed
from discovery_collectors.collectors.database.engines import ENGINES
from discovery_collectors.installed import installed_collectors, load_collector, tcp_ports, udp_probes
from dryrun_contract.kinds import KINDS

ROOT = Path(__file__).parents[2]
COLLECTORS = installed_collectors()


def manifest_of(name: str) -> dict:
    return yaml.safe_load((ROOT / "collectors" / "manifests" / f"{name}.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", COLLECTORS)
def test_every_folder_is_a_collector_that_loads_and_provides_known_kinds(name):
    assert callable(load_collector(name))
    assert COLLECTORS[name].provides
    assert {*COLLECTORS[name].provides, *COLLECTORS[name].needs} <= KINDS.keys()


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_manifest_agrees_with_its_collector(name):
    manifest, collector = manifest_of(name), COLLECTORS[name]
    assert set(manifest.get("credentials", [])) == collector.credentials
    assert set(manifest.get("needs", [])) == set(collector.needs)
    # A collector may refine what nobody has to wait for.
    assert set(manifest["provides"]) <= set(collector.provides)


@pytest.mark.parametrize("name", COLLECTORS)
def test_the_documentation_has_a_page_for_each_collector(name):
    page = (ROOT / "docs" / "collectors" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# The collector `{name}`\n")


def test_only_engines_of_the_database_collector_that_send_a_password_are_in_the_clear():
    assert {*COLLECTORS["database"].credentials} == {"postgresql", "mysql", "mariadb", "mongodb", "redis"}
    assert COLLECTORS["database"].in_clear == {"redis"}
    assert COLLECTORS["snmp"].in_clear == {"snmp"}
    assert all(collector.in_clear <= collector.credentials for collector in COLLECTORS.values())


def test_the_network_collector_covers_the_ports_of_all_collectors():
    page = (ROOT / "docs" / "collectors" / "network.md").read_text(encoding="utf-8")
    assert ", ".join(map(str, tcp_ports())) in page
    assert {engine.port for engine in ENGINES.values()} - set(tcp_ports()) == {3306, 5432}
    assert [(probe.port, probe.name) for probe in udp_probes()] == [
        (53, "domain"),
        (69, "tftp"),
        (123, "ntp"),
        (161, "snmp"),
    ]
    assert all(f"\n| {probe.port} " in page for probe in udp_probes())


def test_an_unknown_collector_is_not_imported():
    with pytest.raises(KeyError):
        load_collector("..database")


def test_a_library_that_is_not_installed_is_missed_only_where_it_is_needed(monkeypatch):
    tried = []

    def prepare() -> None:
        tried.append("redis")
        raise ModuleNotFoundError("No module named 'redis'", name="redis")

    monkeypatch.setattr(installed, "_module", lambda *_: SimpleNamespace(prepare=prepare))
    installed.prepare("database")
    assert tried == ["redis"]


def test_no_folder_outside_of_the_package_is_a_collector(tmp_path):
    stranger = tmp_path / "discovery_collectors" / "collectors" / "stranger"
    stranger.mkdir(parents=True)
    (stranger / "__init__.py").touch()
    (stranger / "descriptor.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    listed = subprocess.run(
        [sys.executable, "-m", "discovery_collectors", "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "directory" in listed.stdout
    assert "stranger" not in listed.stdout
    assert not (tmp_path / "ran").exists()
