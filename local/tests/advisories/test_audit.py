"""No pin is one that the committed snapshot of known vulnerabilities affects; and how that is compared."""

from datetime import date
from pathlib import Path

import pytest
from local_stack import ROOT

from dryrun_local.advisories.audit import (
    ACCEPTED,
    SNAPSHOT,
    Pin,
    accepted,
    affected_pins,
    main,
    pins,
    uncovered,
)
from dryrun_local.advisories.osv import take
from dryrun_local.advisories.snapshot import load
from dryrun_local.machine.errors import LocalError

REQUIREMENTS = ROOT / "requirements"
TODAY = date(2026, 11, 25)
RECORD = """
id: PYSEC-2026-1
modified: 2026-02-03T04:05:06.7Z
aliases: [CVE-2026-1]
details: |
  Wobbly reads too much,
  see https://wobbly.example/1 for more.
affected:
- package: {ecosystem: PyPI, name: Wob_Bly}
  ranges:
  - {type: GIT, repo: x, events: [{introduced: "0"}]}
  - type: ECOSYSTEM
    events: [{introduced: "1.0"}, {fixed: 1.4.2}, {introduced: "2.0"}, {last_affected: "2.1"}]
  versions: ["1.0", 3.0.1, not-a-version]
"""


@pytest.fixture
def database(tmp_path):
    folder = tmp_path / "clone" / "vulns" / "wob-bly"
    folder.mkdir(parents=True)
    (folder / "PYSEC-2026-1.yaml").write_text(RECORD)
    return tmp_path / "clone"


def found(database: Path, version: str) -> list[str]:
    snapshot = take(database, ["wob-bly"], TODAY)
    return [one.advisory.id for one in affected_pins(snapshot, [Pin("wob-bly", version)])]


@pytest.mark.parametrize("files", ["service-*.txt", "image-collector-*.txt"])
def test_every_package_of_services_and_collectors_is_in_the_snapshot(files):
    wanted = pins(REQUIREMENTS.glob(files))

    assert wanted
    assert uncovered(load(REQUIREMENTS / SNAPSHOT), wanted) == []


def test_every_affected_pin_is_accepted_and_every_exception_is_needed():
    affected = affected_pins(load(REQUIREMENTS / SNAPSHOT), pins(REQUIREMENTS.glob("*.txt")))
    reasons = accepted(REQUIREMENTS / ACCEPTED)

    assert [str(one) for one in affected if (one.pin.package, one.advisory.id) not in reasons] == []
    assert reasons.keys() - {(one.pin.package, one.advisory.id) for one in affected} == set()


def test_an_old_version_of_a_real_package_is_found():
    snapshot = load(REQUIREMENTS / SNAPSHOT)

    assert "PYSEC-2024-52" in {one.advisory.id for one in affected_pins(snapshot, [Pin("authlib", "1.3.0")])}
    assert affected_pins(snapshot, [Pin("authlib", "1.3.1")]) == []


@pytest.mark.parametrize("version", ["1.0", "1.4.1", "1.4.2rc1", "2.0", "2.1", "3.0.1"])
def test_an_affected_version_is_found(database, version):
    assert found(database, version) == ["PYSEC-2026-1"]


@pytest.mark.parametrize("version", ["0.9", "1.0rc1", "1.4.2", "1.10", "2.1.1", "3.0.2"])
def test_a_version_outside_of_the_affected_ones_is_not_found(database, version):
    assert found(database, version) == []


def test_covers_the_requested_packages_only_with_or_without_advisories(database):
    snapshot = take(database, ["calm"], TODAY)

    assert snapshot.packages == {"calm": ()}
    assert uncovered(snapshot, [Pin("calm", "1"), Pin("wob-bly", "1.0")]) == ["wob-bly"]


def test_a_snapshot_says_how_new_its_newest_record_is_and_repeats_no_address(database):
    snapshot = take(database, ["wob-bly"], TODAY)

    assert (snapshot.taken, snapshot.newest_record) == (TODAY, date(2026, 2, 3))
    assert snapshot.packages["wob-bly"][0].summary == "Wobbly reads too much, see for more."


def test_a_withdrawn_advisory_is_left_out(database):
    (database / "vulns/wob-bly/PYSEC-2026-1.yaml").write_text(RECORD + "withdrawn: 2026-03-01T00:00:00Z\n")

    assert found(database, "1.0") == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("id: [", "is not YAML"),
        ("id: PYSEC-2026-1", "is not a record in OSV's format"),
        (RECORD.replace('{introduced: "1.0"}, ', ""), "no `introduced` precedes it"),
        (RECORD.replace("ecosystem: PyPI, ", ""), "is not a record in OSV's format: KeyError"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_and_not_skipped(database, text, complaint):
    (database / "vulns/wob-bly/PYSEC-2026-1.yaml").write_text(text)

    with pytest.raises(LocalError, match=f"PYSEC-2026-1.yaml.*{complaint}"):
        take(database, ["wob-bly"], TODAY)


def test_a_folder_that_is_no_database_is_refused(tmp_path):
    with pytest.raises(LocalError, match="give a clone"):
        take(tmp_path, ["wob-bly"], TODAY)


def test_an_exception_needs_a_reason(tmp_path):
    file = tmp_path / ACCEPTED
    file.write_text("# comment\nwob-bly\tPYSEC-2026-1\t \n")

    with pytest.raises(LocalError, match=f"{ACCEPTED}:2"):
        accepted(file)


def test_the_command_takes_a_snapshot_and_fails_by_what_is_affected_and_not_accepted(
    database, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "requirements"
    folder.mkdir()
    (folder / "dev.txt").write_text("Wob.Bly==1.2 \\\n    --hash=sha256:00\ncalm==1 ; python_version > '3'\n")
    (folder / ACCEPTED).write_text("")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit) as ended:
        main([str(database)])
    assert ended.value.code == 1
    assert "wob-bly 1.2: PYSEC-2026-1, CVE-2026-1: Wobbly" in capsys.readouterr().out

    (folder / ACCEPTED).write_text("wob-bly\tPYSEC-2026-1\twe read nothing\n")
    main([])
    assert "newest record is of 2026-02-03" in capsys.readouterr().out
