"""Draining changes one key of the operator's file, at once, and nothing else of it."""

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dryrun_local.fleet.drained_hosts import read, set_drained
from dryrun_local.machine.errors import LocalError
from dryrun_local.main import app

HEAD = """# The fleet of the lab; ask Ada before you change it.
managers: [alpha]
overlay: plain
"""
HOSTS = """hosts:
  alpha: {guard: "tcp://10.0.0.1:2376", certificates: /in/a/container, memory_mib: 4096, cpus: 4, sessions: 4}
  beta:   # the old one
    guard: tcp://10.0.0.2:2376
    certificates: /in/a/container
    memory_mib: 2048
    cpus: 4
    sessions: 2
    labels: {zone: lab}
"""
LAYOUTS = {
    "no key": HEAD + HOSTS,
    "no newline at the end": (HEAD + HOSTS).rstrip(),
    "an empty list": HEAD + HOSTS + "drained: []\n",
    "a list with a comment": HEAD + "drained: []  # for maintenance\n" + HOSTS,
    "a list of lines": HEAD + "drained:\n  # the spare one\n  - alpha\n\n" + HOSTS,
    "a list of lines that are not indented": HEAD + "drained:\n- alpha\n" + HOSTS,
    "a list over two lines": HEAD + "drained: [\n  alpha,\n  ]\n" + HOSTS,
}


def of(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "fleet.yml"
    file.write_text(text)
    file.chmod(0o640)
    return file


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_host_is_drained_and_taken_in_again_whatever_the_layout(tmp_path: Path, text: str) -> None:
    file = of(tmp_path, text)
    before = read(file).drained
    fleet, changed = set_drained(file, "beta", drained=True)
    assert (fleet, changed) == (read(file), True)
    assert fleet.drained == before | {"beta"}
    assert set_drained(file, "beta", drained=True) == (fleet, False)
    fleet, changed = set_drained(file, "beta", drained=False)
    assert (fleet.drained, changed) == (before, True)
    kept = file.read_text()
    assert kept.startswith(HEAD)
    assert HOSTS.rstrip() in kept
    assert ("# for maintenance" in text) is ("# for maintenance" in kept)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["fleet.yml"]


def test_a_link_stays_one_and_the_file_that_it_names_is_changed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    file = of(tmp_path / "kept", HEAD + HOSTS)
    link = tmp_path / "fleet.yml"
    link.symlink_to("kept/fleet.yml")
    set_drained(link, "beta", drained=True)
    assert link.is_symlink()
    assert read(file).drained == {"beta"}
    assert [each.name for each in file.parent.iterdir()] == ["fleet.yml"]


def test_the_new_name_is_on_the_disk_before_the_command_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = of(tmp_path, HEAD + HOSTS)
    synced: list[Path] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    set_drained(file, "beta", drained=True)
    assert synced[-1] == tmp_path.resolve()


ROW = "{guard: 'tcp://10.0.0.%s:2376', certificates: /c, memory_mib: 4096, cpus: 4, sessions: 4}"
FLOW = f"{{managers: [alpha], overlay: plain, hosts: {{alpha: {ROW % 1}, beta: {ROW % 2}}}}}\n"
REFUSED = {
    "one line": (FLOW, "laid out in an unusual way"),
    "faulty": (HEAD.replace("plain", "maybe") + HOSTS, "overlay: is 'maybe'"),
    "without it": ((HEAD + HOSTS).replace("beta", "gamma"), "there is no host beta; it has alpha, gamma"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_changed_safely_stays_as_it_is(tmp_path: Path, text: str, reason: str) -> None:
    file = of(tmp_path, text)
    with pytest.raises(LocalError, match=re.escape(reason)):
        set_drained(file, "beta", drained=True)
    assert file.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["fleet.yml"]


def test_the_commands_say_what_happens_next(tmp_path: Path) -> None:
    file = of(tmp_path, HEAD + HOSTS)

    def said(*words: str) -> str:
        result = CliRunner().invoke(
            app, ["fleet", *words], env={"ORCHESTRATOR_FLEET": str(file), "COLUMNS": "200"}
        )
        assert result.exit_code == (1 if "nowhere" in words else 0), result.output
        return " ".join(result.output.split())

    remain = 'Those that remain are in the overview, /readyz and dryrun_host_sessions{host="beta"}'
    assert remain in said("drain", "beta")
    assert "beta is already drained" in said("drain", "beta")
    assert "beta tcp://10.0.0.2:2376 4 2 drained zone=lab" in said("list")
    assert "still need its engine and guard" in (all_drained := said("drain", "alpha"))
    assert "Every host is drained" in all_drained
    assert "beta takes sessions again" in said("undrain", "beta")
    assert "beta is not drained" in said("undrain", "beta")
    assert "there is no host nowhere" in said("drain", "nowhere")
