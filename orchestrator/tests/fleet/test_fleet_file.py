"""The fleet file: every fault at once, and nothing is guessed."""

from pathlib import Path

import pytest

from dryrun_orchestrator.catalog.allowlist import AllowedImage, ImageNotApprovedError
from dryrun_orchestrator.fleet.fleet_file import FleetFileError, read_fleet_file
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.settings import Settings


class NoImages:
    """An allowlist without images."""

    def image(self, name: str) -> AllowedImage:
        raise ImageNotApprovedError(name)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    folder = tmp_path / "certificates"
    folder.mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (folder / name).touch()
    return folder


def host(certificates: Path, number: int, **changes: object) -> str:
    values = {
        "guard": f"tcp://10.0.0.{number}:2376",
        "certificates": certificates,
        "memory_mib": 8192,
        "cpus": 6,
        "sessions": 4,
        **changes,
    }
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


def faults_of(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(FleetFileError) as refused:
        read_fleet_file(path)
    return [f"{fault.where}: {fault.what}" for fault in refused.value.faults]


def test_reads_hosts_with_the_containers_that_fit(tmp_path: Path, certificates: Path):
    path = tmp_path / "fleet.yml"
    path.write_text(
        f"managers: [alpha]\noverlay: plain\nhosts:\n  alpha: {host(certificates, 1)}\n"
        f"  beta: {host(certificates, 2, memory_mib=2048, labels='{zone: lab, rack: "7"}')}\n"
        "drained: [beta]\n"
    )
    fleet = read_fleet_file(path)
    assert fleet.hosts["beta"].labels == {"zone": "lab", "rack": "7"}
    assert (fleet.managers, fleet.encrypted, fleet.drained) == (("alpha",), False, {"beta"})
    assert {name: each.containers for name, each in fleet.hosts.items()} == {"alpha": 12, "beta": 4}
    assert fleet.hosts["alpha"].certificates == certificates


def test_all_faults_are_reported_at_once(tmp_path: Path, certificates: Path):
    text = (
        f"managers: [gamma]\noverlay: maybe\nspeed: high\ndrained: [delta]\nhosts:\n"
        f"  Alpha: {host(certificates, 1, guard='http://10.0.0.1')}\n"
        f"  beta: {host(tmp_path, 2, cpus=0, sessions='many')}\n"
        f"  gama: {host(certificates, 3, guard='tcp://10.0.0.9:99999')}\n"
        f"  gamb: {host(certificates, 3)}\n  gamc: {host(certificates, 3)}\n"
        f"  gamd: {host(certificates, 4, labels='{Zone: lab, zone: in the lab, rack: 7}')}\n"
    )
    faults = "\n".join(faults_of(tmp_path / "fleet.yml", text))
    for expected in (
        "managers[0]: there is no host 'gamma'",
        "overlay: is 'maybe'",
        "'speed' is outside of the subset",
        "drained[0]: there is no host 'delta'",
        "'Alpha' is not a name",
        "hosts.Alpha.guard: is not of the form",
        "hosts.beta.certificates: lacks ca.pem",
        "hosts.beta.cpus: is 0",
        "hosts.beta.sessions: is a text",
        "hosts.gama.guard: is not of the form",
        "hosts.gamc: has the same guard as 'gamb'",
        "hosts.gamd.labels.Zone: 'Zone' is not a label",
        "hosts.gamd.labels.zone: is 'in the lab'",
        "hosts.gamd.labels.rack: is a number",
    ):
        assert expected.replace("outside of the", "outside the") in faults, faults


@pytest.mark.parametrize(
    ("managers", "says"),
    [
        ("alpha", "managers: is a text; expected a list"),
        ("[]", "managers: has 0 hosts; 1 to 7 can manage a swarm"),
        ("[alpha, beta, alpha]", "managers: names a host twice"),
        ("[alpha, gamma]", "managers[1]: there is no host 'gamma'"),
        (str(["alpha", "beta"] * 4), "managers: has 8 hosts"),
    ],
)
def test_managers_are_hosts_of_the_file_each_once(tmp_path: Path, certificates: Path, managers, says):
    rows = f"  alpha: {host(certificates, 1)}\n  beta: {host(certificates, 2)}\n"
    faults = faults_of(tmp_path / "fleet.yml", f"managers: {managers}\noverlay: plain\nhosts:\n{rows}")
    assert any(says in fault for fault in faults), faults


EMPTY = ["", "[]", "hosts: {}", "managers: [a]\noverlay: plain\nhosts: {}\n", "&a [*a]"]


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_or_foreign_file_is_refused(tmp_path: Path, text: str):
    assert faults_of(tmp_path / "fleet.yml", text)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(FleetFileError, match="cannot be read"):
        read_fleet_file(tmp_path / "nowhere.yml")


async def test_a_host_is_drained_without_a_new_start(tmp_path: Path, certificates: Path):
    path = tmp_path / "fleet.yml"
    rows = f"  alpha: {host(certificates, 1)}\n  beta: {host(certificates, 2)}\n"
    path.write_text(f"managers: [alpha]\noverlay: plain\nhosts:\n{rows}")
    values = dict.fromkeys(("state_dir", "templates_dir", "collectors_dir", "allowlist"), tmp_path)
    settings = Settings.model_validate({"token": "a-token-of-sixteen", "fleet": path, **values})
    hosts = Hosts((), NoImages(), settings, read_fleet_file(path))
    assert hosts.fleet is not None
    assert hosts.fleet.drained == set()
    path.write_text(path.read_text() + "drained: [beta]\n")
    hosts.reread()
    assert hosts.fleet.drained == {"beta"}
    path.write_text("drained: [alpha]\n")
    hosts.reread()
    assert hosts.fleet.drained == {"beta"}


async def test_a_change_that_waits_for_the_next_start_is_logged_once(
    tmp_path: Path, certificates: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "fleet.yml"
    text = f"managers: [alpha]\noverlay: plain\nhosts:\n  alpha: {host(certificates, 1)}\n"
    path.write_text(text)
    values = dict.fromkeys(("state_dir", "templates_dir", "collectors_dir", "allowlist"), tmp_path)
    settings = Settings.model_validate({"token": "a-token-of-sixteen", "fleet": path, **values})
    hosts = Hosts((), NoImages(), settings, read_fleet_file(path))
    path.write_text(text + "drained: [alpha]\n")
    hosts.reread()
    assert "next start" not in caplog.text
    path.write_text(text.replace("plain", "encrypted"))
    hosts.reread()
    hosts.reread()
    assert caplog.text.count("what it says beside drained applies at the next start") == 1
    assert hosts.fleet is not None
    assert not hosts.fleet.encrypted
